"""What the metrics of earlier versions are called today: their files stay readable."""

#: Old name → name.
RENAMED = {
    "count/env_steps": "count/env_step",
    "count/grad_steps": "count/grad_step",
    "test_envs/score": "test_envs/normalized_score",
    "test_envs/score_first": "test_envs_first/normalized_score",
    "test_envs/return_mean": "test_envs/reward",
    "test_envs/return_std": "test_envs/reward_std",
    "test_envs/length_mean": "test_envs/length",
    "test_envs/return_first_mean": "test_envs_first/reward",
    "test_envs/return_first_std": "test_envs_first/reward_std",
    "train_envs/return_mean": "train_envs/reward",
    "train_envs/return_std": "train_envs/reward_std",
    "train_envs/length_mean": "train_envs/length",
    "train_envs/horizon_mean": "train_envs/horizon",
    "train_envs/horizon_q25": "train_envs/horizon_quantile0.25",
    "train_envs/horizon_q50": "train_envs/horizon_quantile0.5",
    "train_envs/horizon_q75": "train_envs/horizon_quantile0.75",
    "train_envs/horizon_q100": "train_envs/horizon_quantile1.0",
    "agent/epsilon": "count/epsilon",
}
#: What came before the probability of a test bandit's second arm → what does.
RENAMED_BANDITS = {
    "test_envs/return_mean_p": "test_envs_reward/",
    "test_envs/return_std_p": "test_envs_reward_std/",
    "test_envs/best_arm_rate_p": "test_envs_best_arm_rate/",
}


def todays(name: str) -> str:
    """The present name of a metric; one that never had another is left as it is."""
    for old, new in RENAMED_BANDITS.items():
        if name.startswith(old):
            return new + name.removeprefix(old)
    return RENAMED.get(name, name)
