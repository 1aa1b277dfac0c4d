"""A histogram of an evaluation's returns, by protocol."""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float

from figures.canvas import COLOURS, new_figure, save_png, tidy

_MOST_BINS = 30


def draw_returns(
    path: Path,
    returns: Mapping[str, Float[np.ndarray, " episode"]],
    intervals: Mapping[str, tuple[float, float] | None],
    references: tuple[float, float],
    title: str,
) -> Path:
    """Write a PNG with a panel for each protocol of `returns`, and return its path.

    `intervals` are those of the means. `references` are the returns with score 0 and 1, for the
    axis above each panel.
    """
    low, high = references
    figure = new_figure(1, len(returns))
    count = max(map(len, returns.values()))
    bins = min(math.ceil(2 * math.sqrt(count)), _MOST_BINS)
    edges = np.histogram_bin_edges(np.concatenate([*returns.values()]), bins)
    panels = figure.subplots(1, len(returns), squeeze=False, sharex=True).flat
    for (protocol, values), ax, colour in zip(returns.items(), panels, COLOURS, strict=False):
        ax.hist(values, edges, color=colour, alpha=0.6)
        ax.axvline(values.mean(), color="black", label=f"mean of {len(values)}")
        interval = intervals[protocol]
        if interval is not None:
            ax.axvspan(*interval, color="black", alpha=0.15, lw=0, label="its 95 % interval")
        tidy(ax, "return", "episodes")
        above = ax.secondary_xaxis(
            "top",
            functions=(
                lambda x: 100 * (x - low) / (high - low),
                lambda x: low + x * (high - low) / 100,
            ),
        )
        above.set_xlabel(f"{protocol}: score × 100")
        ax.legend(frameon=False, fontsize=8)
    return save_png(figure, path, title)
