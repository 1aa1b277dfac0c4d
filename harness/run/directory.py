"""One run, one directory: what is where in it, and its records."""

import re
import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UserError
from harness.run import inputs, layout
from harness.run.finished import Finished, read_finished, write_finished
from harness.run.inputs import Input

#: Of a run directory: the records of earlier trainings in it, in numbered folders.
EARLIER = "earlier"
# What the directory of a run that has not begun may hold; a kill during the very first write
# leaves its temporary file.
_NO_RUN = re.compile(rf"lock|{EARLIER}|\..*\.part")


@dataclass(frozen=True)
class RunDirectory:
    """An open run directory, locked by this process."""

    path: Path
    program: str
    # Whether an earlier process began this run.
    continued: bool

    @property
    def metrics(self) -> Path:
        return self.path / layout.METRICS

    @property
    def checkpoint(self) -> Path:
        return self.path / layout.CHECKPOINT

    @property
    def plots(self) -> Path:
        return self.path / "plots"

    @property
    def agent(self) -> Path:
        return self.path / layout.AGENT

    @property
    def finished(self) -> Finished | None:
        """The record of a complete run; UserError if a file that belongs to it is gone."""
        record = read_finished(self.path)
        if record is not None and (missing := record.missing(self.path)):
            raise UserError(
                f"{self.path} is finished, but {', '.join(missing)} is not there any more: put it"
                f" back, or give restart=true to run it again (its records are then kept in"
                f" {self.path / EARLIER})"
            )
        return record

    def finish(
        self,
        files: Sequence[Path] = (),
        *,
        objective: float | None = None,
        copies: Mapping[Path, Path] | None = None,
        **figures: float,
    ) -> None:
        """Marks the run complete; `files`, all below it, are those without which it is not.

        `objective` is what a sweeper optimises, `copies` says which of its files are also kept
        elsewhere. Its checkpoint goes: a finished run needs none, and a replay has gigabytes.
        """
        write_finished(self.path, files, figures, objective, copies or {})
        self.clear()

    def clear(self) -> None:
        """Removes what a finished run needs no more."""
        shutil.rmtree(self.checkpoint, ignore_errors=True)

    def depends_on(self, *sources: Input) -> None:
        """Records what the run learns from in inputs.json.

        Raises UserError where the run would go on from a checkpoint that another content led to.
        """
        for source in sources:
            inputs.record(self.path, source, goes_on=self.checkpoint.exists())

    def require_unchanged(self, sources: Iterable[Input]) -> None:
        """UserError if the run, which is finished, learned from other than `sources` now are."""
        inputs.require_unchanged(self.path, sources)


def is_record(name: str) -> bool:
    """Whether a file of this name belongs to a run that has begun, or to something else."""
    return not _NO_RUN.fullmatch(name)


def set_aside(path: Path, keep: Collection[str] = ()) -> Path:
    """Moves the records of the run in this folder, but those named in `keep`, into a new numbered
    folder below `earlier`, whose path it returns."""
    home = path / EARLIER
    numbers = [int(child.name) for child in home.glob("*") if child.name.isdecimal()]
    target = home / str(max(numbers, default=0) + 1)
    target.mkdir(parents=True)
    # config.yaml last: a kill in between leaves a run that can be set aside again
    for child in sorted(path.iterdir(), key=lambda child: child.name == layout.CONFIG):
        if child.name not in keep and is_record(child.name):
            child.rename(target / child.name)
    return target
