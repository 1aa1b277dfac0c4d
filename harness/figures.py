"""Figures of the studies: one look, and every figure as PDF, PNG and the arrays behind it."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Distinguishable also without colour vision (Okabe and Ito), darkest first.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_PNG_DPI = 150


def new_figure(rows: int, columns: int, *, width: float = 4.4, height: float = 3.3) -> "Figure":
    """A figure for `rows` by `columns` panels of `width` by `height` inches; needs no display."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width * columns, height * rows), layout="constrained")


def tidy(ax: "Axes", x_label: str, y_label: str) -> None:
    """The common look of a panel."""
    ax.set_xlabel(x_label)
    ax.set_ylabel(y_label)
    ax.grid(alpha=0.25)
    ax.spines[["top", "right"]].set_visible(False)


def shared_legend(figure: "Figure", ax: "Axes", title: str, *, columns: int = 4) -> None:
    """The legend of `ax` above all panels, where it cannot cover a curve, below the `title`."""
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        title=title,
        loc="outside upper center",
        ncols=min(columns, len(labels)),
        frameon=False,
    )


def save_figure(figure: "Figure", stem: Path | str, arrays: Mapping[str, np.ndarray]) -> list[Path]:
    """Writes `<stem>.pdf`, `<stem>.png` and `<stem>.npz`; returns the three paths."""
    stem = Path(stem)
    paths = [stem.with_name(stem.name + suffix) for suffix in (".pdf", ".png", ".npz")]
    for path in paths[:2]:
        with atomic_write(path) as temporary:
            figure.savefig(temporary, format=path.suffix[1:], dpi=_PNG_DPI)
    with atomic_write(paths[2]) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, **arrays)
    return paths
