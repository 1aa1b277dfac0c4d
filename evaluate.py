"""Evaluate the agent of a finished run in its real environment.

    python evaluate.py runs/offline_cont/pendulum-random-v1/default/seed0 --episodes 100
    python evaluate.py runs/offline_cont/pendulum-random-v1/default/seed0 --video swing.mp4

Prints the score under both protocols with 95 % intervals, and writes evaluation.json, episodes.csv
and plots/returns.png into the run directory; the film is of the first of the episodes
(`pip install -e .[video]`).
"""

import argparse
from pathlib import Path

from harness.process.flags import Flags, seed, whole_number
from harness.process.reporting import reported_errors

#: Each is an environment of its own, in memory at the same time as all others.
MOST_EPISODES = 10_000


def parse() -> argparse.Namespace:
    parser = Flags(__doc__)
    parser.add_argument("run_dir", type=Path, help="a run of offline_cont.py or offline_markov.py")
    episodes = "copies of the environment, each played for one horizon (default: the run's own)"
    number = whole_number(1, MOST_EPISODES)
    parser.add_argument("--episodes", type=number, metavar="N", help=episodes)
    parser.add_argument("--seed", type=seed, default=0, help="of the environments (default 0)")
    video = "film the first episode into this MP4 file"
    parser.add_argument("--video", type=Path, metavar="FILE", help=video)
    return parser.parse_args()


def main() -> None:
    with reported_errors():
        options = parse()
        from programs.agent_report import report_agent

        report_agent(options.run_dir, options.episodes, options.seed, options.video)


if __name__ == "__main__":
    main()
