"""Tables and figures from any set of finished run directories.

    python plot_results.py runs/offline_cont --out results/mine
    python plot_results.py 'runs/offline_*/hopper-*' --by collect.unc_quantile --sweep

Writes scores.md, .csv and .tex (dataset × setting), seeds.csv (one line a run) and learning_curves;
--sweep adds the panels of the paper's Figure 1, with score, Q-value and planning horizon of each
setting. Settings are told apart by the keys in which the runs differ, or by those of --by: runs
that differ in others too are not averaged.
"""

import argparse
from pathlib import Path

from harness.log import metrics
from harness.process.flags import Flags
from harness.process.reporting import reported_errors


def parse() -> argparse.Namespace:
    parser = Flags(__doc__)
    add = parser.add_argument
    add("runs", nargs="+", help="run directories or folders above them; patterns with * and **")
    add("--by", action="append", metavar="KEY", help="config key that makes a setting; repeatable")
    add("--sweep", action="store_true", help="also draw score, Q-value and horizon by setting")
    add("--out", type=Path, default=Path("results"), metavar="FOLDER", help="default: results")
    first = "score one episode per environment rather than by the reference protocol"
    add("--first_episodes", action="store_true", help=first)
    add("--unfinished", action="store_true", help="take in runs that are not finished")
    return parser.parse_args()


def main() -> None:
    options = parse()
    from figures.curves import plot_learning, plot_sweep
    from figures.run_records import find_runs
    from figures.settings import settings
    from figures.tables import write_tables

    metric = metrics.SCORE_FIRST if options.first_episodes else metrics.SCORE
    records = find_runs(options.runs, metric, unfinished=options.unfinished)
    names = settings(records, options.by)
    paths = write_tables(records, names, metric, options.out)
    print(paths[0].read_text())
    paths += plot_learning(records, names, metric, options.out)
    if options.sweep:
        paths += plot_sweep(records, names, metric, options.out)
    print(*paths, sep="\n")


if __name__ == "__main__":
    with reported_errors():
        main()
