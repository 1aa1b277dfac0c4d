"""The names of everything that is logged, as published; plots and tables read the same names.

A row of metrics.jsonl is {"step": gradient steps (epochs for world models), name: value, ...}.
"""

STEP = "step"
# True in a row that stands for one that was lost, so that later rows keep their places.
LOST = "lost"

# Progress.
ENV_STEPS = "count/env_steps"
GRAD_STEPS = "count/grad_steps"
ROLLOUTS = "count/rollouts"
UPDATES_PER_SECOND = "time/updates_per_second"
COLLECT_SECONDS = "time/collect_seconds"
EVALUATE_SECONDS = "time/evaluate_seconds"

# Evaluation in the real environment: the reference protocol (every episode that ends within the
# horizon) and, as *_first, one episode per environment.
SCORE = "test_envs/score"
SCORE_FIRST = "test_envs/score_first"
TEST_RETURN_MEAN = "test_envs/return_mean"
TEST_RETURN_STD = "test_envs/return_std"
TEST_RETURN_FIRST_MEAN = "test_envs/return_first_mean"
TEST_RETURN_FIRST_STD = "test_envs/return_first_std"
TEST_LENGTH_MEAN = "test_envs/length_mean"

#: Scores are fractions in every file, and shown times this, as D4RL tells them.
PERCENT = 100


def shown(name: str, value: float) -> float:
    """A figure as people are shown it: that of a metric, or of the same name without its group."""
    return PERCENT * value if name.endswith(("score", "score_first")) else value


# The bandit study: over all test bandits, and with `bandit` of each one.
BEST_ARM_RATE = "test_envs/best_arm_rate"
STABLE_RANK = "agent/stable_rank"
FEATURE_NORM = "agent/feature_norm"


def bandit(name: str, pays: float) -> str:
    """The name of a figure on the test bandit whose second arm pays with this probability."""
    return f"{name}_p{pays}"


# Imagined rollouts of one collection.
HORIZON_MEAN = "train_envs/horizon_mean"
HORIZON_Q25 = "train_envs/horizon_q25"
HORIZON_Q50 = "train_envs/horizon_q50"
HORIZON_Q75 = "train_envs/horizon_q75"

# Updates, averaged since the last row.
CRITIC_LOSS = "agent/loss_q"
ACTOR_LOSS = "agent/loss_pi"
ALPHA = "agent/alpha"
Q_REAL = "agent/real_q_mean"
Q_IMAGINED = "agent/imag_q_mean"

# World-model training, per epoch; the holdout's figures are means over members.
TRAIN_NLL = "train/nll"
HOLDOUT_MSE = "holdout/mse"
HOLDOUT_NLL = "holdout/nll"
IMPROVED_MEMBERS = "holdout/improved_members"
PATIENCE = "holdout/patience"
