"""The names of everything that is logged, as published; plots and tables read the same names.

A row of metrics.jsonl is {"step": gradient steps (epochs for world models), name: value, ...}.
"""

STEP = "step"
# True in a row that stands for one that was lost, so that later rows keep their places.
LOST = "lost"

# Progress. Those of the second group come with evaluations only.
ENV_STEPS = "count/env_step"
GRAD_STEPS = "count/grad_step"
ROLLOUTS = "count/rollouts"
WALL_MINUTES = "count/wall_min"
EVAL_TIMES = "count/eval_times"
PROGRESS = "count/progress"
#: Before the names of an agent's schedules: learning rates, the bandit's ε.
COUNT = "count/"
UPDATES_PER_SECOND = "time/updates_per_second"
COLLECT_SECONDS = "time/collect_seconds"
EVALUATE_SECONDS = "time/evaluate_seconds"
# Of runs side by side: for the rollouts and evaluations of the others, since the last row.
WAITED_SECONDS = "time/waited_seconds"

# Evaluation in the real environment by the reference protocol (every episode that ends within the
# horizon counts) and, in a group of its own, by one episode per environment.
SCORE = "test_envs/normalized_score"
TEST_RETURN_MEAN = "test_envs/reward"
TEST_RETURN_STD = "test_envs/reward_std"
TEST_LENGTH_MEAN = "test_envs/length"
SCORE_FIRST = "test_envs_first/normalized_score"
TEST_RETURN_FIRST_MEAN = "test_envs_first/reward"
TEST_RETURN_FIRST_STD = "test_envs_first/reward_std"

#: Scores are fractions in every file, and shown times this, as D4RL tells them.
PERCENT = 100


def shown(name: str, value: float) -> float:
    """A figure as people are shown it: that of a metric, or of the same name without its group."""
    return PERCENT * value if name.endswith(("score", "score_first")) else value


# The bandit study: over all test bandits (also TEST_RETURN_*), and of each one.
BEST_ARM_RATE = "test_envs/best_arm_rate"
STABLE_RANK = "agent/stable_rank"
FEATURE_NORM = "agent/feature_norm"


def bandit(name: str, pays: float) -> str:
    """The name of a figure on the test bandit whose second arm pays with this probability."""
    return f"{name.replace('/', '_')}/{pays}"


# Imagined rollouts: the group of those that are learned from (the bandit has another), and of the
# bandit's greedy ones, which are not.
TRAIN_ENVS = "train_envs/"
BANDIT_ROLLOUTS = "train_envs_rollout/"
BANDIT_GREEDY = "train_envs_eval/"

#: Of the episodes of a collection, in its group: attribute → name.
EPISODES = {
    "return_mean": "reward",
    "return_std": "reward_std",
    "length_mean": "length",
    "length_std": "length_std",
}
#: And of their imagined part.
ROLLOUTS_IMAGINED = {
    "horizon_mean": "horizon",
    "horizon_q25": "horizon_quantile0.25",
    "horizon_q50": "horizon_quantile0.5",
    "horizon_q75": "horizon_quantile0.75",
    "horizon_q100": "horizon_quantile1.0",
    "data_size": "data_size",
}
HORIZON_MEAN, HORIZON_Q25, HORIZON_Q50, HORIZON_Q75 = (
    TRAIN_ENVS + ROLLOUTS_IMAGINED[f"horizon_{which}"] for which in ("mean", "q25", "q50", "q75")
)

# The ensemble's uncertainty: of the rows that it was trained on, where it cuts rollouts, and of the
# steps of one collection.
UNC_TRAIN_MEAN = "unc/train_mean"
UNC_THRESHOLD = "unc/threshold"
UNC_ROLLOUT_MEAN = "unc/rollout_mean"
UNC_ROLLOUT_MAX = "unc/rollout_max"

# Updates, averaged since the last row.
CRITIC_LOSS = "agent/loss_q"
ACTOR_LOSS = "agent/loss_pi"
ALPHA = "agent/alpha"
Q_REAL = "agent/real_q_mean"
Q_IMAGINED = "agent/imag_q_mean"

#: Before the names of an agent's figures.
AGENT = "agent/"

# World-model training, per epoch; the holdout's figures are means over members.
TRAIN_NLL = "train/nll"
HOLDOUT_MSE = "holdout/mse"
HOLDOUT_NLL = "holdout/nll"
IMPROVED_MEMBERS = "holdout/improved_members"
PATIENCE = "holdout/patience"
