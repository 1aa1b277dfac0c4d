"""Learning curves of many runs, and the panels of the paper's Figure 1 for a swept key."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from harness import metrics
from harness.figures import COLOURS, new_figure, save_figure, shared_legend, tidy
from programs.intervals import bootstrap
from programs.run_records import PERCENT, RunRecord, in_order

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_POINTS = 101
_END = 0.1
_STEPS = "gradient steps"
_SCORE = "normalised score × 100"
_Q = "Q-value on real data"
_HORIZON = "planning horizon (steps)"


def on_grid(
    records: Sequence[RunRecord], metric: str
) -> tuple[Float[np.ndarray, " step"], Float[np.ndarray, "seed step"]]:
    """A metric of several runs at common gradient steps, up to where the shortest run is."""
    series = [record.series(metric) for record in records]
    last = min(steps[-1] for steps, _ in series)
    grid = np.linspace(0, last, _POINTS)
    scale = PERCENT if metric in (metrics.SCORE, metrics.SCORE_FIRST) else 1
    return grid, np.stack([scale * np.interp(grid, steps, values) for steps, values in series])


def plot_learning(
    records: Sequence[RunRecord], names: Sequence[str], metric: str, folder: Path
) -> list[Path]:
    """learning_curves: a panel for each dataset, a curve for each setting."""
    datasets = sorted({record.dataset for record in records})
    columns = min(3, len(datasets))
    rows = -(-len(datasets) // columns)
    figure = new_figure(rows, columns, width=6 if columns == 1 else 4.4, height=4)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    arrays: dict[str, np.ndarray] = {}
    for ax, dataset in zip(axes, datasets, strict=False):
        groups = _groups(records, names, dataset)
        arrays |= _draw_curves(ax, groups, metric, dataset)
        ax.set_title(dataset, fontsize=10)
        tidy(ax, _STEPS, _SCORE)
    for ax in axes[len(datasets) :]:
        ax.set_axis_off()
    shared_legend(figure, axes[0], _band_note(records), columns=2 if columns == 1 else 4)
    return save_figure(figure, folder / "learning_curves", arrays)


def plot_sweep(
    records: Sequence[RunRecord], names: Sequence[str], metric: str, folder: Path
) -> list[Path]:
    """sweep_<dataset>: score, Q on real data and horizon, over training and at its end.

    "At its end" is the mean over the last tenth of training, in which the published schedule has
    ten evaluations; a dot is a seed, the bar the mean over seeds.
    """
    paths = []
    panels = {_SCORE: metric, _Q: metrics.Q_REAL, _HORIZON: metrics.HORIZON_MEAN}
    for dataset in sorted({record.dataset for record in records}):
        groups = _groups(records, names, dataset)
        figure = new_figure(2, len(panels))
        axes = figure.subplots(2, len(panels))
        arrays: dict[str, np.ndarray] = {}
        for column, (label, name) in enumerate(panels.items()):
            arrays |= _draw_curves(axes[0, column], groups, name, name)
            tidy(axes[0, column], _STEPS, label)
            arrays |= _draw_ends(axes[1, column], groups, name)
            tidy(axes[1, column], _common_key(groups), f"{label}, end")
        shared_legend(figure, axes[0, 0], f"{dataset}: {_band_note(records)}")
        paths += save_figure(figure, folder / f"sweep_{dataset}", arrays)
    return paths


def _groups(
    records: Sequence[RunRecord], names: Sequence[str], dataset: str
) -> dict[str, list[RunRecord]]:
    """The runs on one dataset by setting; every setting keeps its place, and so its colour."""
    return {
        setting: [
            record
            for record, name in zip(records, names, strict=True)
            if name == setting and record.dataset == dataset
        ]
        for setting in in_order(names)
    }


def _draw_curves(
    ax: "Axes", groups: dict[str, list[RunRecord]], metric: str, array_name: str
) -> dict[str, np.ndarray]:
    arrays = {}
    for (setting, records), colour in zip(groups.items(), _colours(groups), strict=True):
        if not records:
            continue
        grid, curves = on_grid(records, metric)
        mean, low, high = bootstrap(curves[:, None], lambda scores: scores.mean((0, 1)))
        ax.plot(grid, mean, color=colour, lw=1.6, label=setting)
        if len(curves) > 1:
            ax.fill_between(grid, low, high, color=colour, alpha=0.18, lw=0)
        arrays[f"{array_name}: {setting}"] = np.stack([grid, mean, low, high])
    return arrays


def _draw_ends(
    ax: "Axes", groups: dict[str, list[RunRecord]], metric: str
) -> dict[str, np.ndarray]:
    arrays = {}
    for place, (setting, colour) in enumerate(zip(groups, _colours(groups), strict=True)):
        scale = PERCENT if metric in (metrics.SCORE, metrics.SCORE_FIRST) else 1
        ends = np.array([scale * _at_end(record, metric) for record in groups[setting]])
        if ends.size:
            ax.plot(np.full(ends.shape, place), ends, "o", color=colour, alpha=0.6, ms=5)
            ax.hlines(ends.mean(), place - 0.3, place + 0.3, color=colour, lw=2)
            arrays[f"end of {metric}: {setting}"] = ends
    ax.set_xlim(-0.6, len(groups) - 0.4)
    ax.set_xticks(range(len(groups)), [setting.rpartition("=")[2] for setting in groups])
    return arrays


def _common_key(groups: dict[str, list[RunRecord]]) -> str:
    """The key that all settings are values of, or nothing."""
    keys = {setting.rpartition("=")[0] for setting in groups}
    return keys.pop() if len(keys) == 1 else ""


def _at_end(record: RunRecord, metric: str) -> float:
    """The mean of a metric over the last tenth of a run's gradient steps, its last value if none
    was logged then."""
    steps, values = record.series(metric)
    late = steps >= (1 - _END) * record.rows[-1][metrics.STEP]
    return float(values[late].mean() if late.any() else values[-1])


def _colours(groups: dict[str, list[RunRecord]]) -> list[str]:
    return [COLOURS[place % len(COLOURS)] for place in range(len(groups))]


def _band_note(records: Sequence[RunRecord]) -> str:
    seeds = len({record.seed for record in records})
    if seeds == 1:
        return "one seed"
    return f"mean of up to {seeds} seeds and its 95 % bootstrap interval"
