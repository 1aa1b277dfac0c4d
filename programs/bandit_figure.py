"""The paper's Figure 3 and its table, from the run directories of the bandit study."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from harness import metrics
from harness.bandit_plots import PULLS, SHOWN, Curves, figure_3
from harness.errors import UserError
from harness.files import write_text
from harness.metrics_file import read_rows

#: Panel → logged name: four test bandits, and the mean over all eight.
PANELS = {f"p = {pays}": metrics.bandit(metrics.TEST_RETURN_MEAN, pays) for pays in SHOWN} | {
    "mean of the eight bandits": metrics.TEST_RETURN_MEAN
}


@dataclass(frozen=True)
class StudyRun:
    """One agent's evaluations."""

    path: Path
    seed: int
    penalty: float
    steps: tuple[int, ...]
    #: panel → return per pull at each step
    returns: dict[str, Float[np.ndarray, " step"]]


def read_run(path: Path) -> StudyRun:
    """The run in a directory with config.yaml and metrics.jsonl; UserError if it is none."""
    for name in ("config.yaml", "metrics.jsonl"):
        if not (path / name).exists():
            raise UserError(f"{path} has no {name}: give run directories of offline_bandit.py")
    try:
        config = OmegaConf.load(path / "config.yaml")
        seed, penalty = int(config.seed), float(config.collect.penalty_coef)
    except (OmegaConfBaseException, YAMLError, AttributeError, TypeError) as error:
        raise UserError(f"{path}/config.yaml is not a bandit run's configuration") from error
    rows = [
        row
        for row in read_rows(path / "metrics.jsonl")
        if all(name in row for name in PANELS.values())
    ]
    if not rows:
        raise UserError(f"{path}/metrics.jsonl has no evaluation on the test bandits")
    returns = {
        panel: np.array([row[name] / PULLS for row in rows]) for panel, name in PANELS.items()
    }
    return StudyRun(path, seed, penalty, tuple(row[metrics.STEP] for row in rows), returns)


def draw_study(runs: Sequence[StudyRun], folder: Path) -> tuple[Path, Path]:
    """Draws figure3.png and writes table.md into `folder`; returns their paths."""
    penalties = sorted({run.penalty for run in runs})
    grouped = {p: _same_steps([run for run in runs if run.penalty == p]) for p in penalties}
    panels = {
        panel: {
            p: Curves(group[0].steps, np.stack([run.returns[panel] for run in group]))
            for p, group in grouped.items()
        }
        for panel in PANELS
    }
    figure = figure_3(panels, folder / "figure3.png")
    table = folder / "table.md"
    write_text(table, _table(panels, grouped))
    return figure, table


def _same_steps(runs: list[StudyRun]) -> list[StudyRun]:
    """Different seeds of one penalty, evaluated at the same steps."""
    first, *others = runs
    seeds = {first.seed}
    for run in others:
        if run.steps != first.steps:
            raise UserError(
                f"{first.path} and {run.path} were not evaluated at the same steps: draw finished"
                " runs of one configuration together"
            )
        if run.seed in seeds:
            raise UserError(
                f"{run.path} repeats seed {run.seed} with penalty {run.penalty:g}: give each run"
                " once"
            )
        seeds.add(run.seed)
    return runs


def _table(panels: dict[str, dict[float, Curves]], runs: dict[float, list[StudyRun]]) -> str:
    lines = [
        "Return per pull at the last evaluation, mean ± standard deviation over seeds.",
        "",
        "| penalty | seeds | updates | " + " | ".join(panels) + " |",
        "|---" * (3 + len(panels)) + "|",
    ]
    for penalty, group in runs.items():
        of_panels = [curves[penalty] for curves in panels.values()]
        cells = [f"{c.mean[-1]:.3f} ± {c.std[-1]:.3f}" for c in of_panels]
        seeds = ", ".join(str(run.seed) for run in sorted(group, key=lambda run: run.seed))
        lines.append(f"| {penalty:g} | {seeds} | {group[0].steps[-1]} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
