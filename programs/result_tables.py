"""Scores of many runs as tables: dataset × setting, for people, spreadsheets and papers."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from harness.files import write_text
from programs.intervals import bootstrap
from programs.run_records import LAST_EVALUATIONS, RunRecord, in_order

_HEADER = (
    "dataset",
    "setting",
    "seeds",
    "last score",
    f"mean of last {LAST_EVALUATIONS}",
    "IQM [95 % interval]",
)
#: The row that pools a setting's datasets.
ALL_DATASETS = "all datasets"


@dataclass(frozen=True)
class TableRow:
    """One dataset and setting: scores of its seeds (percent), one column a dataset if pooled."""

    dataset: str
    setting: str
    last: Float[np.ndarray, "seed dataset"]
    last_ten: Float[np.ndarray, "seed dataset"]

    def interval(self) -> tuple[float, float, float]:
        """Interquartile mean of `last_ten` with its 95 % stratified bootstrap interval."""
        from rliable import metrics

        return tuple(
            float(value[0])
            for value in bootstrap(
                self.last_ten, lambda scores: np.array([metrics.aggregate_iqm(scores)])
            )
        )


def final_scores(record: RunRecord, metric: str) -> tuple[float, float]:
    """The last score of a run and the mean of its last ten evaluations, in percent."""
    scores = record.scores(metric)
    return float(scores[-1]), float(scores[-LAST_EVALUATIONS:].mean())


def table_rows(records: Sequence[RunRecord], names: Sequence[str], metric: str) -> list[TableRow]:
    """Rows by dataset and setting, then the settings over all datasets if there are several.

    A pooled row has the seeds that were run on every dataset of its setting, and is left out
    without such.
    """
    scores: dict[tuple[str, str], dict[int, tuple[float, float]]] = {}
    for record, name in zip(records, names, strict=True):
        of_seed = scores.setdefault((record.dataset, name), {})
        of_seed[record.seed] = final_scores(record, metric)
    datasets = sorted({record.dataset for record in records})
    order = in_order(names)
    rows = [
        _row(dataset, setting, [scores[dataset, setting]])
        for dataset in datasets
        for setting in order
        if (dataset, setting) in scores
    ]
    if len(datasets) > 1:
        for setting in order:
            of_datasets = [scores[key] for key in scores if key[1] == setting]
            if len(of_datasets) == len(datasets) and set.intersection(*map(set, of_datasets)):
                rows.append(_row(ALL_DATASETS, setting, of_datasets))
    return rows


def write_tables(
    records: Sequence[RunRecord], names: Sequence[str], metric: str, folder: Path
) -> list[Path]:
    """Writes scores.md, scores.csv, scores.tex and, with one line a run, seeds.csv."""
    rows = table_rows(records, names, metric)
    numbers = [_numbers(row) for row in rows]
    words = [_words(row, figures) for row, figures in zip(rows, numbers, strict=True)]
    contents = {
        "scores.md": markdown(words),
        "scores.tex": latex(words),
        "scores.csv": comma_separated(numbers),
        "seeds.csv": comma_separated(_seed_lines(records, names, metric)),
    }
    for name, text in contents.items():
        write_text(folder / name, text)
    return [folder / name for name in contents]


def markdown(lines: Sequence[Sequence[str]]) -> str:
    """A GitHub table of `lines` below the header, with a note on the figures."""
    head = [" | ".join(_HEADER), " | ".join("---" for _ in _HEADER)]
    body = [" | ".join(line) for line in lines]
    note = (
        "Normalised score × 100, mean ± standard deviation over seeds; interquartile mean of the"
        f" mean of the last {LAST_EVALUATIONS} evaluations."
    )
    return "\n".join([*(f"| {line} |" for line in head + body), "", note]) + "\n"


def latex(lines: Sequence[Sequence[str]]) -> str:
    """A tabular without packages."""
    body = [" & ".join(_escape(word) for word in line) + r" \\" for line in [_HEADER, *lines]]
    body.insert(1, r"\hline")
    columns = "ll" + "r" * (len(_HEADER) - 2)
    return "\n".join([rf"\begin{{tabular}}{{{columns}}}", *body, r"\end{tabular}"]) + "\n"


def comma_separated(lines: Sequence[dict[str, object]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, lines[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def _row(dataset: str, setting: str, of_datasets: list[dict[int, tuple[float, float]]]) -> TableRow:
    seeds = sorted(set.intersection(*map(set, of_datasets)))
    scores = np.array([[scores[seed] for scores in of_datasets] for seed in seeds])
    return TableRow(dataset, setting, scores[..., 0], scores[..., 1])


def _numbers(row: TableRow) -> dict[str, object]:
    iqm, low, high = row.interval()
    return {
        "dataset": row.dataset,
        "setting": row.setting,
        "seeds": len(row.last),
        "last_mean": row.last.mean(),
        "last_std": _std(row.last),
        "last_ten_mean": row.last_ten.mean(),
        "last_ten_std": _std(row.last_ten),
        "iqm": iqm,
        "iqm_low": low,
        "iqm_high": high,
    }


def _words(row: TableRow, numbers: dict[str, object]) -> list[str]:
    return [
        row.dataset,
        row.setting,
        str(numbers["seeds"]),
        _mean_and_std(numbers["last_mean"], numbers["last_std"]),
        _mean_and_std(numbers["last_ten_mean"], numbers["last_ten_std"]),
        _iqm(numbers) if len(row.last) > 1 else f"{numbers['iqm']:.1f}",
    ]


def _std(scores: Float[np.ndarray, "seed dataset"]) -> float:
    """Sample standard deviation over seeds of their mean over datasets; NaN for one seed."""
    return float(scores.mean(1).std(ddof=1)) if len(scores) > 1 else float("nan")


def _mean_and_std(mean: float, std: float) -> str:
    return f"{mean:.1f}" if np.isnan(std) else f"{mean:.1f} ± {std:.1f}"


def _iqm(numbers: dict[str, object]) -> str:
    return f"{numbers['iqm']:.1f} [{numbers['iqm_low']:.1f}, {numbers['iqm_high']:.1f}]"


def _seed_lines(
    records: Sequence[RunRecord], names: Sequence[str], metric: str
) -> list[dict[str, object]]:
    lines = []
    for record, name in zip(records, names, strict=True):
        last, last_ten = final_scores(record, metric)
        lines.append(
            {
                "dataset": record.dataset,
                "setting": name,
                "seed": record.seed,
                "last": last,
                "last_ten": last_ten,
                "evaluations": len(record.scores(metric)),
                "finished": record.finished,
                "run": str(record.path),
            }
        )
    return lines


def _escape(word: str) -> str:
    word = word.replace("%", r"\%").replace("_", r"\_")
    return word.replace("±", r"$\pm$")
