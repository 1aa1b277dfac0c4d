"""Downloads the paper's 33 datasets, or those named, into D4RL's and NeoRL's usual folders.

D4RL files go to $D4RL_DATASET_DIR (~/.d4rl/datasets), NeoRL files to $NEORL_DATASET_DIR
(~/.neorl). Files that are there already are verified and used. Run it again after a failure or an
interruption: it continues where it stopped. Exit code 0: all sound; 1: some failed; 2: bad command.
"""

import argparse
import sys

from rich.console import Console

from catalogue.domains import PUBLISHED
from experience.data.download import download_datasets, overview, plan, summary
from experience.data.published import published_files, select
from harness.download.checked import Patience
from harness.process.flags import Flags, number, whole_number
from harness.process.interrupts import Interrupted
from harness.process.reporting import reported_errors, say


def parse() -> argparse.Namespace:
    usual = Patience()
    parser = Flags(__doc__)
    add = parser.add_argument
    add("names", nargs="*", help="datasets, such as hopper-medium-v2; default: all")
    add("--domain", action="append", choices=PUBLISHED, default=[], help="all of it; repeatable")
    add("--list", action="store_true", help="list the datasets and stop")
    add("--dry-run", action="store_true", help="show what would be done and stop")
    mirror = "take this in place of the publishers' scheme and host; the path is kept"
    add("--mirror", metavar="URL", help=mirror)
    attempts = "attempts in a row without a new byte before giving up (default %(default)s)"
    add("--attempts", type=whole_number(1), metavar="N", default=usual.attempts, help=attempts)
    backoff = "seconds before the next attempt, doubled each time (default %(default)s)"
    add("--backoff", type=number(0), metavar="S", default=usual.backoff, help=backoff)
    timeout = "seconds a server may be silent (default %(default)s)"
    add("--timeout", type=number(0), metavar="S", default=usual.timeout, help=timeout)
    return parser.parse_args()


def main() -> int:
    options = parse()
    files = select(published_files(options.mirror), options.names, options.domain)
    # Tables are not folded to 80 columns where no terminal limits them.
    screen = Console(width=None if sys.stdout.isatty() else 160)
    if options.list:
        screen.print(overview(files))
        return 0
    if options.dry_run:
        print(*plan(files), sep="\n")
        return 0
    patience = Patience(options.attempts, options.backoff, timeout=options.timeout)
    try:
        outcomes = download_datasets(files, patience, Console(stderr=True))
    except Interrupted:
        say("the same command continues where it is stopped now")
        raise
    screen.print(summary(outcomes))
    return int(any(outcome.status == "failed" for outcome in outcomes))


if __name__ == "__main__":
    with reported_errors():
        sys.exit(main())
