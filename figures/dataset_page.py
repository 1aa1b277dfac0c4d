"""The page of figures about one dataset."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from experience.data.quality import SATURATED, Quality
from figures.canvas import COLOURS, new_figure, save_figure, tidy

_BINS = 40


def draw_page(
    quality: Quality,
    title: str,
    stem: Path,
    *,
    scored: bool,
    uncertainties: Float[np.ndarray, " row"] | None = None,
) -> list[Path]:
    """Writes `<stem>.pdf`, `.png` and `.npz`; `scored`: whether scores mean more than returns."""
    figure = new_figure(2, 3, width=3.4, height=2.6)
    figure.suptitle(title)
    axes = figure.subplots(2, 3).ravel()
    outcome = quality.scores if scored else quality.returns
    arrays = {
        "outcome": outcome,
        "lengths": quality.lengths,
        "saturation": quality.saturation,
        "distances": quality.distances,
    }
    _histogram(axes[0], outcome, "normalised score" if scored else "return", "episodes")
    _histogram(axes[1], quality.lengths, "steps in an episode", "episodes", least=0)
    names, counts = list(quality.ends), list(quality.ends.values())
    axes[2].barh(names, counts, color=COLOURS[2])
    tidy(axes[2], "episodes", "ended by")
    axes[3].bar(np.arange(len(quality.saturation)), quality.saturation, color=COLOURS[1])
    axes[3].set_ylim(0, 1)
    tidy(axes[3], "action", f"rows beyond ±{SATURATED}")
    _histogram(axes[4], quality.distances, "distance to the nearest other episode", "rows")
    if uncertainties is None:
        axes[5].set_axis_off()
    else:
        arrays["uncertainties"] = uncertainties
        _histogram(axes[5], np.log10(uncertainties), "log10 uncertainty of the ensemble", "rows")
    return save_figure(figure, stem, arrays)


def _histogram(
    ax, values: np.ndarray, x_label: str, y_label: str, *, least: float | None = None
) -> None:
    # NumPy has no bins for values that are all one; from 0 on they have room
    limits = None if least is None else (least, values.max())
    ax.hist(values, bins=_BINS, range=limits, color=COLOURS[0])
    tidy(ax, x_label, y_label)
