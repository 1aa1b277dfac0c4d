"""Figures of a bandit run and of the reward ensemble: the run's learning, the members' arms."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float

from figures.canvas import COLOURS, new_figure, save_png, tidy
from figures.progress import Panel, plot_panels
from harness.log import metrics
from offline_world.bandit_task import PULLS

#: Test bandits in the figures, by what the second arm pays.
SHOWN = (0.99, 0.7, 0.55, 0.3)


def _per_bandit(name: str) -> dict[str, str]:
    return {metrics.bandit(name, pays): f"p = {pays}" for pays in SHOWN}


_LEARNING = (
    Panel(f"return of {PULLS} pulls", _per_bandit(metrics.TEST_RETURN_MEAN)),
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
    figure = new_figure(1, len(means))
    edges = np.histogram_bin_edges(np.concatenate([m.ravel() for m in means.values()]), 40)
    for ax, (label, of_arms) in zip(
        figure.subplots(1, len(means), squeeze=False).flat, means.items(), strict=True
    ):
        for arm, of_members in enumerate(of_arms.T):
            ax.hist(of_members, edges, color=COLOURS[arm], alpha=0.6, label=f"arm {arm}")
        ax.set_title(label, fontsize=10)
        tidy(ax, "mean reward of a member", "members")
        ax.legend(frameon=False)
    return save_png(figure, out_path)
