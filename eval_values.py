"""Hold the Q-values of finished runs against what their policies really earn.

    python eval_values.py runs/offline_cont/pendulum-random-v1/default/seed0
    python eval_values.py runs/loco/base/offline_cont/*/default/seed* --states 200 --imagined

Each policy starts in states of its dataset and acts in the true environment. With --imagined it
acts in the run's world model too, which tells how much of an overestimation is the model's. Prints
a line a run, and leaves values.json and plots/values.{pdf,png,npz} in its directory.
"""

import argparse
from pathlib import Path

from harness.process.flags import Flags, seed, whole_number
from harness.process.reporting import reported_errors


def parse() -> argparse.Namespace:
    parser = Flags(__doc__)
    add = parser.add_argument
    number, states = whole_number(2), "drawn from the dataset (default 100)"
    add("runs", nargs="+", type=Path, help="runs of offline_cont.py or offline_markov.py")
    add("--states", type=number, default=100, metavar="N", help=states)
    add("--seed", type=seed, default=0, help="of the states and the actions (default 0)")
    add("--imagined", action="store_true", help="follow the policy in the world model, too")
    return parser.parse_args()


def main() -> None:
    with reported_errors():
        options = parse()
        from programs.value_study import study_values

        for run in options.runs:
            study_values(run, options.states, options.seed, imagined=options.imagined)


if __name__ == "__main__":
    main()
