"""What a logger needs of a place that figures go to."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from harness.configuration.schema import ProgramConfig
from harness.run.directory import RunDirectory


@dataclass(frozen=True)
class Opening:
    """What sinks are opened with.

    `resume_rows` are the rows that the run goes on from, None if it starts; `unit` names what the
    progress counts.
    """

    run: RunDirectory
    config: ProgramConfig
    resume_rows: int | None
    unit: str


class Sink(Protocol):
    """A subclass overrides what it has a use for; all else is ignored."""

    def log(self, step: int, metrics: Mapping[str, Any]) -> None:
        """A row of scalars (Python, NumPy or JAX)."""

    def image(self, step: int, name: str, path: Path) -> None:
        """An image file of the run directory."""

    def progress(self, done: int, total: int | None, figures: Mapping[str, float]) -> None:
        """How far the run is; `total` is None where nobody knows how many there will be."""

    def close(self, exit_code: int = 0) -> None:
        """The end, by whatever exit code."""
