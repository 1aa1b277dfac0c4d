"""The paper's Figure 3 and its table, from the run directories of the bandit study."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from figures.bandit_progress import SHOWN
from figures.canvas import STEPS, new_figure, save_figure, share_x, shared_legend, tidy
from figures.curves import band_note, draw_curves
from figures.run_records import LAST_EVALUATIONS, RunRecord
from figures.settings import by_setting, check_alike, settings
from figures.tables import mean_and_std
from harness.files import write_text
from harness.log import metrics
from offline_world.bandit_task import PULLS

PENALTY = "collect.penalty_coef"
#: Panel → logged name: four test bandits, and the mean over all eight.
PANELS = {f"p = {pays}": metrics.bandit(metrics.TEST_RETURN_MEAN, pays) for pays in SHOWN} | {
    "mean of the eight bandits": metrics.TEST_RETURN_MEAN
}


def draw_study(records: Sequence[RunRecord], keys: Sequence[str], folder: Path) -> list[Path]:
    """Draws figure3 and writes table.md into `folder`, a curve and a line for each setting of
    `keys`; returns their paths. Raises UserError if the runs differ in other keys too."""
    names = settings(records, keys)
    check_alike(records, keys)
    groups = by_setting(records, names)
    figure = new_figure(1, len(PANELS), width=3.4, height=3.2)
    axes = figure.subplots(1, len(PANELS))
    arrays: dict[str, np.ndarray] = {}
    for ax, (panel, name) in zip(axes, PANELS.items(), strict=True):
        arrays |= draw_curves(ax, groups, name, panel, scale=1 / PULLS)
        ax.set_title(panel, fontsize=10)
        tidy(ax, STEPS, "return per pull" if ax is axes[0] else "")
        ax.ticklabel_format(axis="x", style="sci", scilimits=(0, 4), useMathText=True)
    share_x(axes)
    shared_legend(figure, band_note(groups, PANELS["p = 0.99"]))
    paths = save_figure(figure, folder / "figure3", arrays)
    write_text(folder / "table.md", _table(groups))
    return [*paths, folder / "table.md"]


def best_of(records: Sequence[RunRecord], keys: Sequence[str], tuned: str) -> list[RunRecord]:
    """For each setting of `keys` the runs with the value of `tuned` that ends best.

    What counts is the return over all test bandits, the last evaluations' mean averaged over
    seeds: so the paper chooses the memory's learning rate for each penalty. Values of fewer seeds
    than another has are left out, which is said. Raises UserError for a key that a run lacks, and
    for runs that differ in others.
    """
    candidates: dict[str, list[list[RunRecord]]] = {}
    for runs in by_setting(records, settings(records, [*keys, tuned])).values():
        setting = ", ".join(f"{key}={runs[0].config[key]}" for key in keys)
        candidates.setdefault(setting, []).append(runs)
    best = []
    for setting, of_setting in candidates.items():
        most = max(map(len, of_setting))
        for runs in of_setting:
            if len(runs) < most:
                print(
                    f"note: {setting}: {tuned}={runs[0].config[tuned]} has {len(runs)} of {most}"
                    " seeds, so it is not compared"
                )
        best += max((runs for runs in of_setting if len(runs) == most), key=_return_at_end)
    return best


def _return_at_end(records: Sequence[RunRecord]) -> float:
    name = metrics.TEST_RETURN_MEAN
    return float(np.mean([r.series(name)[1][-LAST_EVALUATIONS:].mean() for r in records]))


def _table(groups: dict[str, list[RunRecord]]) -> str:
    lines = ["Return per pull, mean ± standard deviation over seeds."]
    for title, count in (
        ("Last evaluation", 1),
        (f"Mean of the last {LAST_EVALUATIONS} evaluations", LAST_EVALUATIONS),
    ):
        lines += [
            "",
            f"| {title} | seeds | updates | {' | '.join(PANELS)} |",
            "|---" * (3 + len(PANELS)) + "|",
        ]
        lines += [_line(setting, records, count) for setting, records in groups.items()]
    return "\n".join(lines) + "\n"


def _line(setting: str, records: list[RunRecord], count: int) -> str:
    seeds = ", ".join(str(seed) for seed in sorted(record.seed for record in records))
    steps = sorted({record.rows[-1][metrics.STEP] for record in records})
    updates = " to ".join(str(step) for step in dict.fromkeys((steps[0], steps[-1])))
    returns = [
        np.array([record.series(name)[1][-count:].mean() for record in records]) / PULLS
        for name in PANELS.values()
    ]
    cells = [setting, seeds, updates, *(mean_and_std(of_panel, 3) for of_panel in returns)]
    return f"| {' | '.join(cells)} |"
