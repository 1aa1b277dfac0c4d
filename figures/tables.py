"""Scores of many runs as tables: dataset × setting, for people, spreadsheets and papers."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from figures.intervals import bootstrap
from figures.run_records import LAST_EVALUATIONS, RunRecord
from figures.settings import in_order
from harness.files import write_text

_HEADER = (
    "dataset",
    "setting",
    "seeds",
    "last score",
    f"mean of last {LAST_EVALUATIONS}",
    "mean of last tenth of training",
    "its IQM [95 % interval]",
)
#: The row that pools a setting's datasets.
ALL_DATASETS = "all datasets"
_LATEX = {character: "\\" + character for character in "&#$%_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
}


@dataclass(frozen=True)
class TableRow:
    """One dataset and setting: scores of its seeds (percent), one column a dataset if pooled."""

    dataset: str
    setting: str
    #: a name of `final_scores` → scores
    scores: dict[str, Float[np.ndarray, "seed dataset"]]

    @property
    def seeds(self) -> int:
        return len(self.scores["last"])

    def interval(self) -> tuple[float, float, float]:
        """Interquartile mean of the last tenth with its 95 % stratified bootstrap interval."""
        from rliable import metrics

        mean, low, high = bootstrap(
            self.scores["last_tenth"], lambda scores: np.array([metrics.aggregate_iqm(scores)])
        )
        return float(mean[0]), float(low[0]), float(high[0])


def final_scores(record: RunRecord, metric: str) -> dict[str, float]:
    """The last score of a run, and its means over the last ten evaluations and over those in the
    last tenth of training, in percent."""
    _, scores = record.series(metric)
    return {
        "last": float(scores[-1]),
        "last_ten": float(scores[-LAST_EVALUATIONS:].mean()),
        "last_tenth": record.at_end(metric),
    }


def mean_and_std(values: Float[np.ndarray, " seed"], digits: int = 1) -> str:
    """`mean ± sample standard deviation`, only the mean of a single seed."""
    deviation = _std(values)
    mean = f"{values.mean():.{digits}f}"
    return mean if np.isnan(deviation) else f"{mean} ± {deviation:.{digits}f}"


def table_rows(records: Sequence[RunRecord], names: Sequence[str], metric: str) -> list[TableRow]:
    """Rows by dataset and setting, then the settings over all datasets if there are several.

    A pooled row has the seeds that were run on every dataset of its setting, and is left out
    without such.
    """
    scores: dict[tuple[str, str], dict[int, dict[str, float]]] = {}
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
    intervals = [row.interval() for row in rows]
    words = [_words(*row) for row in zip(rows, intervals, strict=True)]
    contents = {
        "scores.md": markdown(words),
        "scores.tex": latex(words),
        "scores.csv": comma_separated(
            [_numbers(*row) for row in zip(rows, intervals, strict=True)]
        ),
        "seeds.csv": comma_separated(_seed_lines(records, names, metric)),
    }
    for name, text in contents.items():
        write_text(folder / name, text)
    return [folder / name for name in contents]


def markdown(lines: Sequence[Sequence[str]]) -> str:
    """A GitHub table of `lines` below the header, with a note on the figures."""
    head = [" | ".join(_HEADER), " | ".join("---" for _ in _HEADER)]
    body = [" | ".join(word.replace("|", r"\|") for word in line) for line in lines]
    note = (
        "Normalised score × 100, mean ± standard deviation over seeds. Compare settings by the last"
        f" tenth of training: the last {LAST_EVALUATIONS} evaluations are another stretch of it in"
        " every run with few evaluations. IQM: interquartile mean."
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


def _row(dataset: str, setting: str, of_datasets: list[dict[int, dict[str, float]]]) -> TableRow:
    seeds = sorted(set.intersection(*map(set, of_datasets)))
    names = of_datasets[0][seeds[0]]
    return TableRow(
        dataset,
        setting,
        {
            name: np.array([[scores[seed][name] for scores in of_datasets] for seed in seeds])
            for name in names
        },
    )


def _numbers(row: TableRow, interval: tuple[float, float, float]) -> dict[str, Any]:
    numbers: dict[str, Any] = {"dataset": row.dataset, "setting": row.setting, "seeds": row.seeds}
    for name, scores in row.scores.items():
        numbers |= {f"{name}_mean": scores.mean(), f"{name}_std": _std(scores.mean(1))}
    return numbers | dict(zip(("iqm", "iqm_low", "iqm_high"), interval, strict=True))


def _words(row: TableRow, interval: tuple[float, float, float]) -> list[str]:
    iqm, low, high = interval
    return [
        row.dataset,
        row.setting,
        str(row.seeds),
        *(mean_and_std(scores.mean(1)) for scores in row.scores.values()),
        f"{iqm:.1f} [{low:.1f}, {high:.1f}]" if row.seeds > 1 else f"{iqm:.1f}",
    ]


def _std(values: Float[np.ndarray, " seed"]) -> float:
    """Sample standard deviation; NaN for one seed."""
    return float(values.std(ddof=1)) if len(values) > 1 else float("nan")


def _seed_lines(
    records: Sequence[RunRecord], names: Sequence[str], metric: str
) -> list[dict[str, object]]:
    lines = []
    for record, name in zip(records, names, strict=True):
        lines.append(
            {
                "dataset": record.dataset,
                "setting": name,
                "seed": record.seed,
                **final_scores(record, metric),
                "evaluations": len(record.series(metric)[0]),
                "finished": record.finished,
                "run": str(record.path),
            }
        )
    return lines


def _escape(word: str) -> str:
    return "".join(_LATEX.get(character, character) for character in word)
