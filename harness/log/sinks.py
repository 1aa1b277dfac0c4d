"""The places that every run's figures go to."""

from collections.abc import Callable

from harness.log.console import ProgressLine
from harness.log.metrics_file import MetricsFile
from harness.log.sink import Opening, Sink
from harness.log.wandb_run import WandbRun
from harness.log.wandb_settings import server_mode


def _wandb(opening: Opening) -> Sink | None:
    mode = server_mode(opening.config.wandb.mode)
    return WandbRun(opening, mode) if mode != "disabled" else None


#: Each is opened anew for a run, and closed, in this order; None stays out of this run.
SINKS: list[Callable[[Opening], Sink | None]] = [
    lambda opening: ProgressLine(opening.unit),
    lambda opening: MetricsFile(opening.run.metrics, opening.resume_rows),
    _wandb,
]
