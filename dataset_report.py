"""Quality and coverage of a dataset on one page, to look at before hours of training.

    python dataset_report.py halfcheetah-own-random-v2
    python dataset_report.py hopper-medium-v2 --world_model ckpt/ensemble_seed0.eqx
    python dataset_report.py mine.hdf5 --horizon 200 --ref_min -1220 --ref_max -150
    python dataset_report.py minari:mine/random-v0 --horizon 200

Writes <name>.md with its figures (PNG, PDF, npz) into reports/, or where --out says: returns,
episode lengths and ends, action saturation, coverage, what is odd, and which studies apply.
"""

import argparse
from pathlib import Path

from harness.process.flags import Flags, whole_number
from harness.process.reporting import reported_errors


def parse() -> argparse.Namespace:
    parser = Flags(__doc__)
    add = parser.add_argument
    add("dataset", help="a published or own name, an HDF5 file, or minari:<id>")
    add(
        "--horizon",
        type=whole_number(1),
        help="steps of an episode, for a file or a Minari dataset",
    )
    add("--ref_min", type=float, help="return that scores 0, for a file or a Minari dataset")
    add("--ref_max", type=float, help="return that scores 1")
    add("--world_model", type=Path, metavar="FILE", help="an ensemble whose uncertainty is shown")
    add("--trained_on", metavar="NAME", help="the ensemble's dataset, if it is another one")
    add("--out", type=Path, default=Path("reports"), metavar="FOLDER", help="default: reports")
    return parser.parse_args()


def main() -> None:
    with reported_errors():
        options = parse()
        from programs.dataset_report import report, task_of

        task, scored = task_of(options.dataset, options.horizon, options.ref_min, options.ref_max)
        trained_on = None
        if options.trained_on is not None:
            trained_on, _ = task_of(
                options.trained_on, options.horizon, options.ref_min, options.ref_max
            )
        paths = report(
            task,
            options.out,
            scored=scored,
            world_model=options.world_model,
            trained_on=trained_on,
        )
    print(*paths, sep="\n")


if __name__ == "__main__":
    main()
