"""plots/learning.png: how a run went, in the panels of the paper's Figure 1 and its losses."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from figures.canvas import COLOURS, HORIZON, SCORE, STEPS, new_figure, save_png, share_x, tidy
from figures.rows import curve
from harness.errors import UserError
from harness.log import metrics
from harness.log.metrics_file import read_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS = 3


@dataclass(frozen=True)
class Panel:
    """One set of axes: metric → legend, and a band between two metrics."""

    label: str
    lines: dict[str, str]
    band: tuple[str, str] | None = None
    log_scale: bool = False


_LEARNING = (
    Panel(
        SCORE,
        {metrics.SCORE: "reference protocol", metrics.SCORE_FIRST: "one episode per environment"},
    ),
    Panel("Q-value", {metrics.Q_REAL: "real data", metrics.Q_IMAGINED: "imagined data"}),
    Panel(
        HORIZON,
        {metrics.HORIZON_Q50: "median and 25–75 %"},
        band=(metrics.HORIZON_Q25, metrics.HORIZON_Q75),
    ),
    Panel("critic loss", {metrics.CRITIC_LOSS: "critic loss"}, log_scale=True),
    Panel("actor loss", {metrics.ACTOR_LOSS: "actor loss"}),
    Panel("temperature α", {metrics.ALPHA: "temperature α"}, log_scale=True),
)


_ENSEMBLE = (
    Panel("negative log-likelihood", {metrics.TRAIN_NLL: "training rows"}),
    Panel(
        "held-out score",
        {metrics.HOLDOUT_MSE: "squared error", metrics.HOLDOUT_NLL: "negative log-likelihood"},
    ),
    Panel("members that improved", {metrics.IMPROVED_MEMBERS: "members"}),
)


def learning_plot(metrics_path: Path | str, out_path: Path | str, title: str = "") -> Path:
    """Draws an agent's metrics.jsonl into a PNG file and returns its path.

    Panels without data are left out. Raises UserError when the file is missing or has nothing that
    can be drawn.
    """
    return plot_panels(_LEARNING, Path(metrics_path), Path(out_path), title)


def ensemble_plot(metrics_path: Path | str, out_path: Path | str, title: str = "") -> Path:
    """The same for a world model's training: its loss, and what the held-out rows say of it."""
    return plot_panels(_ENSEMBLE, Path(metrics_path), Path(out_path), title)


def plot_panels(panels: tuple[Panel, ...], metrics_path: Path, out_path: Path, title: str) -> Path:
    """Draws the panels that metrics.jsonl has data for; UserError if there is none."""
    if not metrics_path.exists():
        raise UserError(f"{metrics_path} does not exist: give the metrics.jsonl of a run")
    rows = read_rows(metrics_path)
    panels = tuple(
        panel for panel in panels if any(name in row for name in panel.lines for row in rows)
    )
    if not panels:
        raise UserError(f"{metrics_path} has no metrics that a learning plot shows")

    columns = min(_COLUMNS, len(panels))
    rows_of_panels = -(-len(panels) // columns)
    figure = new_figure(rows_of_panels, columns)
    axes = figure.subplots(rows_of_panels, columns, squeeze=False).flat
    for panel, ax in zip(panels, axes, strict=False):
        _draw(panel, rows, ax)
    for ax in list(axes)[len(panels) :]:
        ax.set_axis_off()
    share_x(figure.axes)
    return save_png(figure, out_path, title)


def _draw(panel: Panel, rows: list[dict[str, Any]], ax: "Axes") -> None:
    for (name, label), colour in zip(panel.lines.items(), COLOURS, strict=False):
        steps, values = curve(rows, name)
        # Evaluations are few: markers keep a run with a single one visible.
        marker = "o" if len(steps) <= 40 else None
        ax.plot(steps, values, label=label, color=colour, marker=marker, markersize=3, lw=1.4)
    if panel.band is not None:
        steps, low = curve(rows, panel.band[0])
        _, high = curve(rows, panel.band[1])
        ax.fill_between(steps, low, high, color=COLOURS[0], alpha=0.2, lw=0)
    # A logarithmic axis has no place for a loss that is zero throughout.
    if panel.log_scale and any((row.get(name) or 0) > 0 for row in rows for name in panel.lines):
        ax.set_yscale("log", nonpositive="mask")
    tidy(ax, "epochs" if metrics.TRAIN_NLL in rows[0] else STEPS, panel.label)
    ax.ticklabel_format(axis="x", style="sci", scilimits=(0, 4), useMathText=True)
    if len(panel.lines) > 1 or panel.band is not None:
        # Above the axes, where it cannot cover a curve.
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, fontsize=8)
