"""Draw the paper's Figure 3 from runs of the bandit study, and write its table.

    python plot_bandit.py results/bandit/*_*
    python plot_bandit.py runs/offline_bandit/bandit/*/seed* --out plt/bandit

Arguments are run directories (or folders with their config.yaml and metrics.jsonl); the curves of
one penalty are averaged over its seeds.
"""

import argparse
from pathlib import Path

from harness.entry import reported_errors


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, default=Path("plt/bandit"))
    arguments = parser.parse_args()

    from programs.bandit_figure import draw_study, read_run

    for path in draw_study([read_run(run) for run in arguments.runs], arguments.out):
        print(path)


if __name__ == "__main__":
    with reported_errors():
        main()
