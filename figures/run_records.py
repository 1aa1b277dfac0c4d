"""Finished (or running) run directories as figures and tables see them."""

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from figures.rows import curve
from harness.errors import UserError
from harness.log import metrics
from harness.log.metrics_file import read_rows
from harness.run import layout
from harness.run.directory import EARLIER
from harness.run.records import read_settings, record_or_note

#: Evaluations at the end of a run whose mean is told.
LAST_EVALUATIONS = 10
# The last tenth of training has the last ten evaluations of the published schedule.
_END = 0.1


@dataclass(frozen=True)
class RunRecord:
    """One run: what it was asked to do and what it logged."""

    path: Path
    program: str
    #: dotted key → value
    config: dict[str, Any]
    rows: list[dict[str, Any]]
    finished: bool
    #: the folder in which its command was given, where that is recorded
    folder: str | None = None

    @property
    def dataset(self) -> str:
        return self.config["dataset_name"]

    @property
    def seed(self) -> int:
        return self.config["seed"]

    def series(
        self, name: str
    ) -> tuple[Float[np.ndarray, " evaluation"], Float[np.ndarray, " evaluation"]]:
        """Gradient steps and values of a metric without those that were not finite; scores are in
        percent."""
        steps, values = curve(self.rows, name)
        finite = ~np.isnan(values)
        return steps[finite], values[finite]

    def at_end(self, name: str) -> float:
        """The mean of a metric over the last tenth of the run's gradient steps, its last value if
        none was logged then, NaN if none ever was."""
        steps, values = self.series(name)
        late = values[steps > (1 - _END) * self.rows[-1][metrics.STEP]]
        return float(late.mean()) if late.size else float(values[-1]) if values.size else np.nan


def find_runs(patterns: Sequence[str], *needed: str, unfinished: bool = False) -> list[RunRecord]:
    """The runs at or below everything that matches `patterns`, sorted by path.

    Only those that log the first `needed` metric are meant: others (world models) are left out in
    silence. What cannot be read, or has no finite value of a `needed` metric, is left out with a
    printed reason, and so are unfinished runs unless asked for. Raises UserError if none remains.
    """
    folders = {
        file.parent
        for pattern in patterns
        for match in glob.glob(pattern, recursive=True)
        for file in Path(match).rglob(layout.METRICS)
        # what a restart set aside is no run of its own
        if file.parent.parent.name != EARLIER
    }
    kept = []
    for folder in sorted(folders):
        try:
            record = _read_run(folder)
            if any(needed[0] in row for row in record.rows):
                _check_usable(record, needed, unfinished)
                kept.append(record)
        except UserError as error:
            print(f"left out: {error}", flush=True)
    if not kept:
        raise UserError(
            f"no {'' if unfinished else 'finished '}run with {needed[0]} is at"
            f" {' '.join(patterns)}: give run directories or folders above them"
        )
    return kept


def _check_usable(record: RunRecord, needed: Sequence[str], unfinished: bool) -> None:
    if not (record.finished or unfinished):
        raise UserError(f"{record.path} is unfinished: take it in with --unfinished")
    for name in needed:
        if not record.series(name)[0].size:
            raise UserError(f"{record.path} has no finite value of {name}")


def _read_run(folder: Path) -> RunRecord:
    """Raises UserError for what is no whole run."""
    file = folder / layout.CONFIG
    if not file.exists():
        raise UserError(f"{folder} has metrics.jsonl but no config.yaml: it is not a whole run")
    try:
        config, rows = read_settings(file), read_rows(folder / layout.METRICS)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{folder} cannot be read: {error}") from error
    for key, kind in (("dataset_name", str), ("seed", int)):
        if not isinstance(config.get(key), kind):
            raise UserError(f"{file} has no {key}: it is not a run's configuration")
    # a run that was copied without finished.json is whole if its metrics are
    finished = (folder / layout.FINISHED).exists() or (
        bool(rows) and rows[-1][metrics.STEP] == config.get("train.grad_steps")
    )
    environment = record_or_note(folder / layout.ENVIRONMENT, "its paths are told as they are")
    given_in = environment.get("folder")
    return RunRecord(
        path=folder,
        program=_program(config),
        config=config,
        rows=rows,
        finished=finished,
        folder=given_in if isinstance(given_in, str) else None,
    )


def _program(config: dict[str, Any]) -> str:
    """The kind of agent, which its configuration tells also where a run has been moved."""
    if "train.critic_enc_lr" in config:
        return "recurrent"
    return "Markov" if "train.critic_lr" in config else "bandit"
