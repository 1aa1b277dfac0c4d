"""Learning curves of many runs, and the panels of the paper's Figure 1 for a swept key."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from figures.canvas import (
    HORIZON,
    SCORE,
    STEPS,
    curve_styles,
    new_figure,
    save_figure,
    share_x,
    shared_legend,
    show_coincident,
    tidy,
)
from figures.intervals import bootstrap
from figures.run_records import RunRecord
from figures.settings import by_setting
from harness.log import metrics

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_POINTS = 101
_Q = "Q-value on real data"
# Characters of tick labels that fit below one panel.
_TICK_CHARACTERS = 40


def on_grid(
    records: Sequence[RunRecord], metric: str
) -> tuple[Float[np.ndarray, " step"], Float[np.ndarray, "seed step"]]:
    """A metric of several runs at common gradient steps.

    The steps are those that all runs have gone through, apart from the young ones, which are left
    out: those with less than two values or half the steps of the longest. Both arrays are empty if
    none is left.
    """
    series = [record.series(metric) for record in records]
    series = [(steps, values) for steps, values in series if len(steps) > 1]
    if not series:
        return np.zeros(0), np.zeros((0, 0))
    longest = max(steps[-1] for steps, _ in series)
    series = [(steps, values) for steps, values in series if 2 * steps[-1] >= longest]
    first = max(steps[0] for steps, _ in series)
    grid = np.linspace(first, min(steps[-1] for steps, _ in series), _POINTS)
    return grid, np.stack([np.interp(grid, steps, values) for steps, values in series])


def plot_learning(
    records: Sequence[RunRecord], names: Sequence[str], metric: str, folder: Path
) -> list[Path]:
    """learning_curves: a panel for each dataset, a curve for each setting."""
    datasets = sorted({record.dataset for record in records})
    columns = min(3, len(datasets))
    rows = -(-len(datasets) // columns)
    figure = new_figure(rows, columns, width=6 if columns == 1 else 4.4, height=4)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    groups = by_setting(records, names)
    arrays: dict[str, np.ndarray] = {}
    for ax, dataset in zip(axes, datasets, strict=False):
        arrays |= draw_curves(ax, _on(dataset, groups), metric, dataset)
        ax.set_title(dataset, fontsize=10, parse_math=False)
        tidy(ax, STEPS, SCORE)
    for ax in axes[len(datasets) :]:
        ax.set_axis_off()
    share_x(axes)
    shared_legend(figure, band_note(groups, metric))
    return save_figure(figure, folder / "learning_curves", arrays)


def plot_sweep(
    records: Sequence[RunRecord], names: Sequence[str], metric: str, folder: Path
) -> list[Path]:
    """sweep_<dataset>: score, Q on real data and horizon, over training and at its end.

    "At its end" is the mean over the last tenth of training; a dot is a seed, the bar the mean over
    seeds.
    """
    paths = []
    panels = {SCORE: metric, _Q: metrics.Q_REAL, HORIZON: metrics.HORIZON_MEAN}
    for dataset in sorted({record.dataset for record in records}):
        groups = _on(dataset, by_setting(records, names))
        figure = new_figure(2, len(panels))
        axes = figure.subplots(2, len(panels))
        arrays: dict[str, np.ndarray] = {}
        for column, (label, name) in enumerate(panels.items()):
            arrays |= draw_curves(axes[0, column], groups, name, name)
            tidy(axes[0, column], STEPS, label)
            arrays |= _draw_ends(axes[1, column], groups, name)
            tidy(axes[1, column], _mark_settings(axes[1, column], list(groups)), f"{label}, end")
        share_x(axes[0])
        shared_legend(figure, f"{dataset}: {band_note(groups, metric)}")
        # the names of a user's own datasets may be no names of files
        stem = "sweep_" + re.sub(r"[^\w.+-]", "_", dataset)
        paths += save_figure(figure, folder / stem, arrays)
    return paths


def draw_curves(
    ax: "Axes",
    groups: dict[str, list[RunRecord]],
    metric: str,
    array_name: str,
    *,
    scale: float = 1.0,
) -> dict[str, np.ndarray]:
    """Mean of each setting's runs, times `scale`, and its 95 % interval over training.

    Returns them as "<array_name>: <setting>" → steps, mean, low, high. A setting without a curve
    keeps its style.
    """
    arrays = {}
    for (setting, records), style in zip(groups.items(), curve_styles(len(groups)), strict=True):
        grid, curves = on_grid(records, metric)
        if not grid.size:
            continue
        mean, low, high = bootstrap(scale * curves[:, None], lambda scores: scores.mean((0, 1)))
        ax.plot(grid, mean, lw=1.6, label=setting, **style)
        if len(curves) > 1:
            ax.fill_between(grid, low, high, color=style["color"], alpha=0.18, lw=0)
        arrays[f"{array_name}: {setting}"] = np.stack([grid, mean, low, high])
    show_coincident(ax)
    return arrays


def band_note(groups: dict[str, list[RunRecord]], metric: str) -> str:
    """What a curve of `metric` and its band are, for the legend."""
    datasets = {record.dataset for records in groups.values() for record in records}
    of_datasets = [_on(dataset, groups) for dataset in datasets]
    counts = {len(on_grid(runs, metric)[1]) for of in of_datasets for runs in of.values()} - {0}
    if not counts:
        return "no run has two evaluations yet"
    if counts == {1}:
        return "1 seed"
    seeds = " to ".join(str(count) for count in sorted({min(counts), max(counts)}))
    return f"mean of {seeds} seeds and its 95 % bootstrap interval"


def _on(dataset: str, groups: dict[str, list[RunRecord]]) -> dict[str, list[RunRecord]]:
    """The runs on one dataset; every setting keeps its place, and so its style."""
    return {
        setting: [record for record in records if record.dataset == dataset]
        for setting, records in groups.items()
    }


def _draw_ends(
    ax: "Axes", groups: dict[str, list[RunRecord]], metric: str
) -> dict[str, np.ndarray]:
    arrays = {}
    for place, (setting, style) in enumerate(zip(groups, curve_styles(len(groups)), strict=True)):
        ends = np.array([record.at_end(metric) for record in groups[setting]])
        ends = ends[~np.isnan(ends)]
        if ends.size:
            ax.plot(np.full(ends.shape, place), ends, "o", color=style["color"], alpha=0.6, ms=5)
            ax.hlines(ends.mean(), place - 0.3, place + 0.3, lw=2, **style)
            arrays[f"end of {metric}: {setting}"] = ends
    ax.ticklabel_format(axis="y", useOffset=False)
    # a difference that does not matter should not fill the panel
    low, high = ax.get_ylim()
    lacking = max(1.0, 0.05 * max(abs(low), abs(high))) - (high - low)
    if lacking > 0:
        ax.set_ylim(low - lacking / 2, high + lacking / 2)
    return arrays


def _mark_settings(ax: "Axes", names: list[str]) -> str:
    """Puts the settings below the panel; returns the keys that all of them are values of."""
    parts = [[_key_and_value(part) for part in name.split(", ")] for name in names]
    keys = {tuple(key for key, _ in of_name) for of_name in parts}
    shared = len(keys) == 1
    lines = [
        [value if shared or not key else f"{key}={value}" for key, value in of] for of in parts
    ]
    crowded = sum(max(map(len, of_name)) for of_name in lines) > _TICK_CHARACTERS
    # upright, labels of several lines would cover each other
    labels = [(", " if crowded else "\n").join(of_name) for of_name in lines]
    ax.set_xticks(range(len(names)), labels, rotation=90 if crowded else 0)
    ax.set_xlim(-0.6, len(names) - 0.4)
    return "\n".join(keys.pop()) if shared else ""


def _key_and_value(part: str) -> tuple[str, str]:
    """Of "key=value"; a program's name is a value without a key."""
    # a path may have the sign too
    key, equals, value = part.partition("=")
    return (key, value) if equals else ("", part)
