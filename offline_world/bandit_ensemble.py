"""Train the reward ensemble of the bandit study.

    python offline_world/bandit_ensemble.py --seed 0
    python offline_world/bandit_ensemble.py seed=0 ensemble.total_epochs=100

The result is offline_world/ckpt/bandit/ensemble_seed<seed>.eqx, in the published format, and a
histogram of every arm's mean rewards before and after training in ensemble.plot_dir.
"""

import sys
from pathlib import Path

# so that the published command works with or without PYTHONPATH
sys.path[0] = str(Path(__file__).resolve().parents[1])

from harness.configuration.schema import REWARD_MODEL_KEYS, BanditConfig  # noqa: E402
from harness.run.entry import program  # noqa: E402


@program(
    "bandit_ensemble",
    BanditConfig,
    default="offline_bandit",
    flags=("seed",),
    learns_from=REWARD_MODEL_KEYS,
)
def main(config, run):
    from programs.bandit import train_ensemble

    train_ensemble(config, run)


if __name__ == "__main__":
    main()
