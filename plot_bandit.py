"""Draw the paper's Figure 3 from runs of the bandit study, and write its table.

    python plot_bandit.py results/bandit
    python plot_bandit.py 'runs/offline_bandit/bandit/train.enc_lr=*' --by train.enc_lr
    python plot_bandit.py results/bandit/published --best train.enc_lr

Writes figure3 as PDF, PNG and npz, and table.md. The curves of one setting are averaged over its
seeds. Settings are the values of collect.penalty_coef and of whatever else differs, or those of the
keys of --by, where runs that differ in anything else are refused. With --best each setting is shown
with the value of a further key that ends best.
"""

import argparse
from pathlib import Path

from harness.process.flags import Flags
from harness.process.reporting import reported_errors


def parse() -> argparse.Namespace:
    parser = Flags(__doc__)
    add = parser.add_argument
    add("runs", nargs="+", help="run directories or folders above them; patterns with * and **")
    by = "config key that makes a curve; repeatable; default: all that differ"
    add("--by", action="append", metavar="KEY", help=by)
    best = "config key of which each curve takes the value that ends best"
    add("--best", metavar="KEY", help=best)
    add("--out", type=Path, default=Path("plt/bandit"), metavar="FOLDER", help="plt/bandit")
    add("--unfinished", action="store_true", help="take in runs that are not finished")
    return parser.parse_args()


def main() -> None:
    options = parse()
    from figures.bandit import PANELS, PENALTY, best_of, draw_study
    from figures.run_records import find_runs
    from figures.settings import differing_keys

    records = find_runs(options.runs, *PANELS.values(), unfinished=options.unfinished)
    # where other settings lie too, each is a curve of its own
    tuned = [options.best] if options.best else []
    keys = options.by or [PENALTY, *differing_keys(records, [PENALTY, *tuned])]
    if options.best:
        records, keys = best_of(records, keys, options.best), [*keys, options.best]
    print(*draw_study(records, keys, options.out), sep="\n")


if __name__ == "__main__":
    with reported_errors():
        main()
