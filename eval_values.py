"""Hold the Q-values of finished runs against what their policies really earn.

    python eval_values.py runs/offline_cont/pendulum-random-v1/default/seed0
    python eval_values.py runs/loco/*/base/seed* --states 200

Each policy starts in states of its dataset and acts in the true environment. Prints a line a run,
and leaves values.json and plots/values.{pdf,png,npz} in its directory.
"""

import argparse
from pathlib import Path

from harness.run.entry import reported_errors


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("runs", nargs="+", type=Path, help="runs of offline_cont.py or offline_markov.py")
    add("--states", type=int, default=100, metavar="N", help="drawn from the dataset (default 100)")
    add("--seed", type=int, default=0, help="of the states and the actions (default 0)")
    options = parser.parse_args()
    if options.states < 2:
        parser.error(f"--states={options.states}: an interval needs two states at least")
    return options


def main() -> None:
    options = parse()
    with reported_errors():
        from programs.value_study import study_values

        for run in options.runs:
            study_values(run, options.states, options.seed)


if __name__ == "__main__":
    main()
