"""Draw what eval_error.py found with and without LayerNorm.

    python plot_ln.py --train_dataset halfcheetah-random-v2 --eval_dataset medium-replay-v2
    python plot_ln.py --train_dataset pendulum-random-v1 --eval_dataset pump-v1

Writes compounding_error and error_and_uncertainty, each as PDF, PNG and npz, beside the arrays
that it read: plt/<domain>/<train dataset>/<eval dataset>/.
"""

import argparse
from pathlib import Path

from harness.process.flags import Flags
from harness.process.reporting import reported_errors


def parse() -> argparse.Namespace:
    parser = Flags(__doc__)
    add = parser.add_argument
    add("--train_dataset", required=True, help="the dataset of the world model")
    add("--eval_dataset", required=True, help="as given to eval_error.py: a name or its end")
    add("--plot_dir", type=Path, help="ensemble.plot_dir, if it is not plt/<domain>")
    add("--out", type=Path, metavar="FOLDER", help="where the figures go instead")
    return parser.parse_args()


def main() -> None:
    options = parse()
    from figures.compounding import plot_compounding
    from figures.error_files import domain_of

    plot_dir = options.plot_dir or Path("plt") / domain_of(options.train_dataset)
    written = plot_compounding(plot_dir, options.train_dataset, options.eval_dataset, options.out)
    print(*written, sep="\n")


if __name__ == "__main__":
    with reported_errors():
        main()
