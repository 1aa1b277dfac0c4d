"""Where a run's numbers go: metrics.jsonl always, wandb where wanted, one line on the screen."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from harness.configuration.schema import ProgramConfig
from harness.log.sink import Opening
from harness.log.sinks import SINKS
from harness.run.directory import RunDirectory


class Logger:
    """Use it as a context manager: an exception inside marks the wandb run as failed."""

    def __init__(
        self,
        run: RunDirectory,
        config: ProgramConfig,
        *,
        resume_rows: int | None = None,
        unit: str = "updates",
    ):
        """`resume_rows` are the rows that the run goes on from, None if it starts.

        Rows after them are dropped, because the run writes them again (a step would not tell
        them apart: several rows may share one). `unit` names the steps on the progress line.
        """
        opening = Opening(run=run, config=config, resume_rows=resume_rows, unit=unit)
        opened = (open_sink(opening) for open_sink in SINKS)
        self._sinks = [sink for sink in opened if sink is not None]

    def log(self, step: int, metrics: Mapping[str, Any]) -> None:
        """Writes a row of scalars (Python, NumPy or JAX) at `step`.

        A `Path` among the values is an image file, which is shown as by `image`.
        """
        numbers = {name: value for name, value in metrics.items() if not isinstance(value, Path)}
        for sink in self._sinks:
            sink.log(step, numbers)
        for name in metrics.keys() - numbers.keys():
            self.image(step, name, metrics[name])

    def image(self, step: int, name: str, path: Path | str) -> None:
        """Shows an image file of the run directory where images can be shown, under `name`."""
        for sink in self._sinks:
            sink.image(step, name, Path(path))

    def progress(self, done: int, total: int | None, **figures: float) -> None:
        """Renews the progress line; figures stay on it until they are given again."""
        for sink in self._sinks:
            sink.progress(done, total, figures)

    def close(self, exit_code: int = 0) -> None:
        """Closes all sinks, also where one of them fails."""
        with ExitStack() as closing:
            for sink in reversed(self._sinks):
                closing.callback(sink.close, exit_code)

    def __enter__(self) -> "Logger":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close(exit_code=0 if kind is None else getattr(error, "exit_code", 1))


class FanOut:
    """Logs the figures of several runs that advance together, each to its own logger.

    An array (run,) holds one value for each run, a number is the same for all. The progress line
    shows means.
    """

    def __init__(self, loggers: Sequence[Logger]):
        self._loggers = loggers

    def log(self, step: int, metrics: Mapping[str, Any]) -> None:
        for i, logger in enumerate(self._loggers):
            logger.log(step, {n: v[i] if np.ndim(v) else v for n, v in metrics.items()})

    def progress(self, done: int, total: int, **figures: Any) -> None:
        means = {name: float(np.mean(value)) for name, value in figures.items()}
        self._loggers[0].progress(done, total, **means)
