"""Train the reward ensemble of the bandit study.

    python offline_world/bandit_ensemble.py --seed 0
    python offline_world/bandit_ensemble.py seed=0 ensemble.total_epochs=100

The result is offline_world/ckpt/bandit/ensemble_seed<seed>.eqx, in the published format, and a
histogram of every arm's mean rewards before and after training in ensemble.plot_dir.
"""

import _checkout  # noqa: F401, I001 (before all others)
from harness.configuration.schema import REWARD_MODEL_KEYS, BanditConfig
from harness.entry import program
from programs.bandit_inputs import present_pulls


@program(
    "bandit_ensemble",
    BanditConfig,
    default="offline_bandit",
    flags=("seed",),
    learns_from=REWARD_MODEL_KEYS,
    inputs=present_pulls,
)
def main(config, run):
    from programs.bandit import train_ensemble

    train_ensemble(config, run)


if __name__ == "__main__":
    main()
