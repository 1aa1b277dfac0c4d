"""Figures of the bandit study: one run's learning, the ensemble's arms, the paper's Figure 3."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from harness import metrics
from harness.files import atomic_write
from harness.plots import COLOURS, Panel, plot_panels

#: Test bandits in the figures, by what the second arm pays (the first one pays with 0.5).
SHOWN = (0.99, 0.7, 0.55, 0.3)
PULLS = 100


def _per_bandit(name: str) -> dict[str, str]:
    return {metrics.bandit(name, pays): f"p = {pays}" for pays in SHOWN}


_LEARNING = (
    Panel("return of 100 pulls", _per_bandit(metrics.TEST_RETURN_MEAN)),
    Panel("rate of the better arm", _per_bandit(metrics.BEST_ARM_RATE)),
    Panel("loss", {metrics.CRITIC_LOSS: "loss"}, log_scale=True),
    Panel("Q-value", {"agent/q_mean": "Q", "agent/target_mean": "target"}),
    Panel("stable rank", {metrics.STABLE_RANK: "stable rank"}),
    Panel("feature norm", {metrics.FEATURE_NORM: "feature norm"}),
)


def bandit_plot(metrics_path: Path | str, out_path: Path | str, title: str = "") -> Path:
    """Draws a bandit run's metrics.jsonl into a PNG file and returns its path."""
    return plot_panels(_LEARNING, Path(metrics_path), Path(out_path), title)


def arm_histogram(means: Mapping[str, Float[np.ndarray, "member arm"]], out_path: Path) -> Path:
    """Histograms of the members' mean rewards per arm, one panel for each entry of `means`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.4 * len(means), 3.3), layout="constrained")
    edges = np.histogram_bin_edges(np.concatenate([m.ravel() for m in means.values()]), 40)
    for ax, (label, of_arms) in zip(
        figure.subplots(1, len(means), squeeze=False).flat, means.items(), strict=True
    ):
        for arm, of_members in enumerate(of_arms.T):
            ax.hist(of_members, edges, color=COLOURS[arm], alpha=0.6, label=f"arm {arm}")
        ax.set_title(label, fontsize=10)
        ax.set_xlabel("mean reward of a member")
        ax.set_ylabel("members")
        ax.legend(frameon=False)
    return _saved(figure, out_path)


class Curves:
    """Of one penalty: an evaluated figure of several seeds on their common steps."""

    def __init__(self, steps: Sequence[int], values: Float[np.ndarray, "seed step"]):
        self.steps, self.values = np.asarray(steps), values

    @property
    def mean(self) -> Float[np.ndarray, " step"]:
        return self.values.mean(0)

    @property
    def std(self) -> Float[np.ndarray, " step"]:
        """Population standard deviation over seeds."""
        return self.values.std(0)


def figure_3(panels: Mapping[str, Mapping[float, Curves]], out_path: Path) -> Path:
    """Draws panel → penalty → curves: the mean over seeds and one standard deviation around it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.4 * len(panels), 3.2), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False).flat
    for ax, (label, of_penalties) in zip(axes, panels.items(), strict=True):
        for (penalty, curves), colour in zip(sorted(of_penalties.items()), COLOURS, strict=False):
            mean, std = curves.mean, curves.std
            seeds = len(curves.values)
            ax.plot(curves.steps, mean, color=colour, lw=1.5, label=f"{penalty:g} ({seeds} seeds)")
            ax.fill_between(curves.steps, mean - std, mean + std, color=colour, alpha=0.2, lw=0)
        ax.set_title(label, fontsize=10)
        ax.set_xlabel("gradient steps")
        ax.ticklabel_format(axis="x", style="sci", scilimits=(0, 4), useMathText=True)
        ax.grid(alpha=0.25)
        ax.spines[["top", "right"]].set_visible(False)
    first = figure.axes[0]
    first.set_ylabel("return per pull")
    # above the panels, where it cannot cover a curve
    handles, labels = first.get_legend_handles_labels()
    labels = [f"penalty {label}" for label in labels]
    figure.legend(
        handles, labels, loc="outside upper center", ncols=len(labels), frameon=False, fontsize=9
    )
    return _saved(figure, out_path)


def _saved(figure, out_path: Path) -> Path:
    with atomic_write(out_path) as temporary:
        figure.savefig(temporary, format="png", dpi=140)
    return out_path
