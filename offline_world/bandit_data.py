"""Make the bandit's dataset: 10 episodes of 100 pulls of arm 0, which pays with probability 0.5.

    python offline_world/bandit_data.py
    python offline_world/bandit_data.py --seed 1 --path my_bandit.npz

The first command makes the data that comes with the project, number for number.
"""

import _checkout  # noqa: F401, I001 (before all others)
from pathlib import Path

from harness.errors import UserError
from harness.process.flags import Flags, seed
from harness.process.reporting import reported_errors
from offline_world.bandit_dataset import make_dataset, save_dataset


def main() -> None:
    parser = Flags(__doc__)
    parser.add_argument("--seed", type=seed, default=0)
    parser.add_argument("--path", type=Path, default=Path("offline_world/data/bandit.npz"))
    arguments = parser.parse_args()
    if arguments.path.suffix != ".npz":
        raise UserError(f"--path {arguments.path} would be a NumPy file: let it end in .npz")
    dataset = make_dataset(arguments.seed)
    save_dataset(arguments.path, dataset)
    print(f"{arguments.path}: arm 0 paid {dataset.rewards.mean():.3f} of {dataset.rewards.size}")


if __name__ == "__main__":
    with reported_errors():
        main()
