"""The settings of a dataset side by side: scores, horizons, and Q-values against the truth.

    python results/loco/compare.py results/loco/hopper-own-random-v2 [--minutes 19]

Reads the kept runs `<setting>_<seed>` (results/thin.py, eval_values.py) and prints a Markdown
table, means over seeds with 95 % bootstrap intervals. Scores (in percent) and horizons are means
over the last tenth of training. What baselines.csv beside the folder has of the dataset
(benchmarks/baselines/train.py) follows in a table of its own, with --minutes as far as each had
come then.
"""

import csv
import json
from collections import defaultdict
from pathlib import Path

from figures.intervals import mean_interval
from figures.run_records import RunRecord, find_runs
from harness.log import metrics
from harness.process.flags import Flags
from harness.process.reporting import reported_errors

#: Column → the figure of values.json, whose mean over states is told.
VALUES = {
    "Q": "q",
    "really (eq. 56)": "promised",
    "overestimation": "overestimation",
    "the world model's (eq. 57)": "of_model",
}


def figures_of(run: RunRecord) -> dict[str, float]:
    """What the table tells of one run; without values where eval_values.py was not run."""
    figures = {
        "score": run.at_end(metrics.SCORE),
        "median horizon": run.at_end(metrics.HORIZON_Q50),
    }
    file = run.path / "values.json"
    if file.exists():
        values = json.loads(file.read_text())
        known = {column: name for column, name in VALUES.items() if name in values}
        figures |= {column: values[name]["mean"] for column, name in known.items()}
    return figures


def told(values: list[float]) -> str:
    """A mean with its interval, which a single seed has none of."""
    if not values:
        return ""
    mean, interval = sum(values) / len(values), mean_interval([[value] for value in values])
    return short(mean) + (f" [{short(interval[0])}, {short(interval[1])}]" if interval else "")


def short(number: float) -> str:
    return f"{number:.3g}" if abs(number) < 1000 else f"{number:,.0f}"


def table(runs: list[RunRecord]) -> str:
    """Markdown, a line for each setting, in the order of their names."""
    settings: dict[str, list[RunRecord]] = defaultdict(list)
    for run in runs:
        settings[run.path.name.rpartition("_")[0]].append(run)
    columns = ["score", "median horizon", *VALUES]
    lines = [f"| setting | seeds | {' | '.join(columns)} |", "| --- " * (len(columns) + 2) + "|"]
    for setting, of_setting in sorted(settings.items()):
        figures = [figures_of(run) for run in of_setting]
        cells = [told([each[column] for each in figures if column in each]) for column in columns]
        seeds = ", ".join(str(seed) for seed in sorted(run.seed for run in of_setting))
        lines.append(f"| {setting} | {seeds} | {' | '.join(cells)} |")
    return "\n".join(lines)


def baselines(file: Path, dataset: str, minutes: float | None = None) -> str:
    """The baselines' table, a line for each algorithm; empty without evaluations of the dataset.

    After `minutes` of a core each, for the seeds that were trained as long; None: after all.
    """
    trainings: dict[str, dict[str, list[dict]]] = defaultdict(lambda: defaultdict(list))
    if file.exists():
        with open(file, newline="") as opened:
            for row in csv.DictReader(opened):
                if row["dataset"] == dataset:
                    of_seed = trainings[row["algorithm"]][row["seed"]]
                    # trained once more: the last training counts
                    if of_seed and float(row["step"]) <= float(of_seed[-1]["step"]):
                        of_seed.clear()
                    of_seed.append(row)
    columns = ["score", "best evaluation", "updates", "minutes of a core"]
    head = [f"| baseline | seeds | {' | '.join(columns)} |", "| --- " * (len(columns) + 2) + "|"]
    lines = []
    for algorithm, seeds in trainings.items():
        figures = {column: [] for column in columns}
        trained = {seed: kept for seed in seeds if (kept := so_far(seeds[seed], minutes))}
        if not trained:
            continue
        for rows in trained.values():
            scores, steps = ([float(row[name]) for row in rows] for name in ("score", "step"))
            late = [s for s, step in zip(scores, steps, strict=True) if step >= 0.9 * steps[-1]]
            took = float(rows[-1]["train_seconds"]) / 60
            numbers = (100 * sum(late) / len(late), 100 * max(scores), steps[-1], took)
            for column, number in zip(columns, numbers, strict=True):
                figures[column].append(number)
        cells = [told(figures[column]) for column in columns]
        lines.append(f"| {algorithm} | {', '.join(sorted(trained))} | {' | '.join(cells)} |")
    return "\n".join(head + lines) if lines else ""


def so_far(rows: list[dict[str, str]], minutes: float | None) -> list[dict[str, str]]:
    """The evaluations of a training's first minutes; none of a training that was shorter."""
    seconds = [float(row["train_seconds"]) for row in rows]
    # `behaviour` takes no time
    if minutes is None or seconds[-1] == 0:
        return rows
    if seconds[-1] < 60 * minutes:
        return []
    return [row for row, at in zip(rows, seconds, strict=True) if at <= 60 * minutes]


def main() -> None:
    parser = Flags(__doc__)
    parser.add_argument("folder", type=Path, help="kept runs of one dataset")
    parser.add_argument("--minutes", type=float, help="of a core, for each baseline (default: all)")
    options = parser.parse_args()
    folder, minutes = options.folder, options.minutes
    print(table(find_runs([str(folder)], metrics.SCORE)))
    file = folder.parent / "baselines.csv"
    print("", baselines(file, folder.resolve().name, minutes), sep="\n")


if __name__ == "__main__":
    with reported_errors():
        main()
