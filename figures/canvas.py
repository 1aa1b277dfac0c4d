"""One look of all figures; a study's become a PDF, a PNG and the arrays behind them."""

import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.arrays import write_npz
from harness.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Distinguishable also without colour vision (Okabe and Ito), darkest first.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_LINES = ("-", "--", ":", "-.")
# Labels of axes that several figures have.
STEPS = "gradient steps"
SCORE = "normalised score × 100"
HORIZON = "planning horizon (steps)"
_PNG_DPI = 150
_FONT_SIZE = 10
# Of a legend, in points: what stands beside a label, and the height of a line.
_HANDLE = 52
_LINE_HEIGHT = 17
_INCH = 72


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


def share_x(axes: Iterable[Any]) -> None:
    """Gives all panels that show something the range of steps of the longest."""
    drawn = [ax for ax in axes if ax.has_data()]
    if drawn:
        lows, highs = zip(*(ax.get_xlim() for ax in drawn), strict=True)
        for ax in drawn:
            ax.set_xlim(min(lows), max(highs))


def show_coincident(ax: "Axes") -> None:
    """Dashes every curve that lies on an earlier one, which shows through the gaps."""
    lines = ax.get_lines()
    for i, line in enumerate(lines):
        covered = sum(_coincide(line.get_xydata(), other.get_xydata()) for other in lines[:i])
        if covered:
            line.set_linestyle((0, (3, 3 * covered)))


def _coincide(one: Any, other: Any) -> bool:
    return np.shape(one) == np.shape(other) and np.allclose(one, other, rtol=1e-3, equal_nan=True)


def curve_styles(count: int) -> list[dict[str, Any]]:
    """Colour and line of each of `count` curves; the line changes when the colours are used up."""
    colours = len(COLOURS)
    return [
        {"color": COLOURS[i % colours], "linestyle": _LINES[i // colours % len(_LINES)]}
        for i in range(count)
    ]


def shared_legend(figure: "Figure", title: str) -> None:
    """One legend of all panels below the `title`, above them, where it cannot cover a curve.

    It has as many columns as fit, and the figure becomes higher by what it takes.
    """
    room = 0.95 * _INCH * figure.get_figwidth()
    handles: dict[str, Artist] = {}
    for ax in figure.axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            handles.setdefault(_wrapped(label, room - _HANDLE), handle)
    label_lines = [label.splitlines() for label in handles]
    widest = max((_width(line) for lines in label_lines for line in lines), default=0)
    columns = max(1, min(len(handles), int(room / (_HANDLE + widest))))
    title = _wrapped(title, room)
    figure.legend(
        list(handles.values()),
        list(handles),
        title=title,
        loc="outside upper center",
        ncols=columns,
        frameon=False,
        fontsize=_FONT_SIZE,
        title_fontsize=_FONT_SIZE,
    )
    rows = -(-len(handles) // columns)
    lines = len(title.splitlines()) + rows * max(map(len, label_lines), default=0)
    figure.set_figheight(figure.get_figheight() + lines * _LINE_HEIGHT / _INCH)


def _wrapped(text: str, room: float) -> str:
    """The text in lines of at most `room` points, or about so."""
    return textwrap.fill(text, max(1, int(len(text) * min(1, room / _width(text)))))


def _width(text: str) -> float:
    """Of a line of text in points."""
    from matplotlib.textpath import TextPath

    return TextPath((0, 0), text, size=_FONT_SIZE).get_extents().width


def save_png(figure: "Figure", path: Path, title: str = "") -> Path:
    """Writes the figure below its `title`, and returns the path."""
    if title:
        figure.suptitle(title, fontsize=11)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png", dpi=140)
    return path


def save_figure(figure: "Figure", stem: Path | str, arrays: Mapping[str, np.ndarray]) -> list[Path]:
    """Writes `<stem>.pdf`, `<stem>.png` and `<stem>.npz`; returns the three paths."""
    stem = Path(stem)
    paths = [stem.with_name(stem.name + suffix) for suffix in (".pdf", ".png", ".npz")]
    for path in paths[:2]:
        with atomic_write(path) as temporary:
            figure.savefig(temporary, format=path.suffix[1:], dpi=_PNG_DPI)
    write_npz(paths[2], arrays, compressed=True)
    return paths
