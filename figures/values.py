"""Q-values against true returns."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from figures.canvas import COLOURS, new_figure, save_figure, tidy


def draw_values(
    stem: Path, q: Float[np.ndarray, " state"], promised: Float[np.ndarray, " state"]
) -> list[Path]:
    """Writes `<stem>.pdf`, `.png` and `.npz`: a point a state, and the line where both agree."""
    figure = new_figure(1, 1)
    ax = figure.subplots()
    ends = min(q.min(), promised.min()), max(q.max(), promised.max())
    ax.plot(ends, ends, color=COLOURS[-1], linewidth=1)
    ax.scatter(promised, q, s=8, color=COLOURS[0])
    tidy(ax, "discounted return from here on", "Q")
    return save_figure(figure, stem, {"q": q, "promised": promised})
