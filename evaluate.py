"""Evaluate the agent of a finished run in its real environment.

    python evaluate.py runs/offline_cont/pendulum-random-v1/default/seed0 --episodes 100
    python evaluate.py runs/offline_cont/pendulum-random-v1/default/seed0 --video swing.mp4

Prints the score under both protocols, and writes evaluation.json into the run directory; the film
is of the first of the episodes (`pip install -e .[video]`).
"""

import argparse
from pathlib import Path

from harness.run.entry import reported_errors


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run_dir", type=Path, help="a run of offline_cont.py or offline_markov.py")
    copies = "copies of the environment, each played for one horizon (default: the run's own)"
    parser.add_argument("--episodes", type=_positive, metavar="N", help=copies)
    parser.add_argument("--seed", type=int, default=0, help="of the environments (default 0)")
    video = "film the first episode into this MP4 file"
    parser.add_argument("--video", type=Path, metavar="FILE", help=video)
    return parser.parse_args()


def main() -> None:
    options = parse()
    with reported_errors():
        from programs.agent_report import report_agent

        report_agent(options.run_dir, options.episodes, options.seed, options.video)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not positive")
    return number


if __name__ == "__main__":
    main()
