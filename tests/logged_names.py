"""Every name that a run logs, in full: the published ones, and beside them ours.

Of the published names those in the first lists are known; that an agent's loss or a schedule of the
Markov agent is called the same is our inference (docs/differences.md).
"""

P = ("0.01", "0.15", "0.3", "0.45", "0.55", "0.7", "0.85", "0.99")


def _each(prefix: str, names: str) -> set[str]:
    return {prefix + name for name in names.split()}


_QUANTILES = "horizon_quantile0.25 horizon_quantile0.5 horizon_quantile0.75 horizon_quantile1.0"
_EPISODES = "reward reward_std length length_std"
_ROLLOUTS = f"{_EPISODES} horizon {_QUANTILES} data_size"
_KINDS = ("param_norm", "grad_norm", "update_norm")

_COUNTS = _each("count/", "eval_times env_step grad_step wall_min")
_OUR_COUNTS = {"step", "count/rollouts", "count/progress"} | _each(
    "time/", "updates_per_second collect_seconds evaluate_seconds"
)
_UNCERTAINTY = _each("unc/", "rollout_mean rollout_max")

PUBLISHED_CONTINUOUS = (
    _COUNTS
    | _each("test_envs/", "normalized_score reward reward_std length")
    | _each("train_envs/", _ROLLOUTS)
    | _each("agent/", "loss_q loss_q_real loss_q_imag q_mean real_q_mean imag_q_mean")
    | _each("agent/", "loss_pi loss_pi_real loss_pi_imag real_pi_entropy imag_pi_entropy")
    | _each("agent/", "alpha loss_alpha")
)
PUBLISHED_RECURRENT = PUBLISHED_CONTINUOUS | _each(
    "count/", "critic_enc_lr critic_head_lr actor_enc_lr actor_head_lr"
)
_OUR_CONTINUOUS = (
    _OUR_COUNTS
    | _UNCERTAINTY
    | _each("unc/", "train_mean threshold")
    | _each("test_envs_first/", "normalized_score reward reward_std")
)
OURS_RECURRENT = (
    _OUR_CONTINUOUS
    | {
        f"agent/{network}_{part}_{kind}"
        for network in ("critic", "actor")
        for part in ("enc", "head")
        for kind in _KINDS
    }
    | _each("agent/critic_", "stable_rank feature_norm")
    | _each("agent/actor_", "stable_rank feature_norm")
)
OURS_MARKOV = (
    _OUR_CONTINUOUS
    | _each("count/", "critic_lr actor_lr")
    | {f"agent/{network}_head_{kind}" for network in ("critic", "actor") for kind in _KINDS}
)

#: Of runs side by side, besides all others.
OURS_SIDE_BY_SIDE = {"time/waited_seconds"}

PUBLISHED_BANDIT = (
    _COUNTS
    | _each("count/", "epsilon progress")
    | _each("test_envs_reward/", " ".join(P))
    | _each("train_envs_eval/", _EPISODES)
    | _each("train_envs_rollout/", _ROLLOUTS)
    | _each("agent/", "loss_q q_mean target_mean target_network_mean stable_rank feature_norm")
)
OURS_BANDIT = (
    _OUR_COUNTS
    | _UNCERTAINTY
    | _each("count/", "enc_lr head_lr")
    | _each("test_envs/", "reward reward_std best_arm_rate")
    | _each("test_envs_reward_std/", " ".join(P))
    | _each("test_envs_best_arm_rate/", " ".join(P))
    | {f"agent/{part}_{kind}" for part in ("enc", "head") for kind in _KINDS}
)
