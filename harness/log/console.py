"""One line that says how far a run is, how fast, and how well."""

import sys
import time
from collections import deque
from collections.abc import Mapping
from datetime import timedelta

from rich.console import Console
from rich.live import Live
from rich.text import Text

from harness.log.sink import Sink

# Calls over which the rate is averaged: enough to be steady, few enough to follow a change.
_WINDOW = 20
# In a file or a pipe every line stays, so they come less often.
_PLAIN_INTERVAL_SECONDS = 20.0


class ProgressLine(Sink):
    """A line redrawn in place on a terminal, and printed now and then anywhere else."""

    def __init__(self, unit: str = "updates"):
        self._unit = unit
        self._console = Console(file=sys.stdout)
        self._live: Live | None = None
        self._marks: deque[tuple[float, int]] = deque(maxlen=_WINDOW)
        self._figures: dict[str, float] = {}
        self._printed: float | None = None

    def progress(self, done: int, total: int | None, figures: Mapping[str, float]) -> None:
        now = time.monotonic()
        self._marks.append((now, done))
        self._figures |= figures
        line = self._line(done, total)
        if self._console.is_terminal:
            self._redraw(line)
        elif self._due(now) or done == total:
            print(line, flush=True)
            self._printed = now

    def close(self, exit_code: int = 0) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _line(self, done: int, total: int | None) -> str:
        if total is None:
            parts = [f"{done:,} {self._unit}"]
        else:
            parts = [f"{done:,}/{total:,} {self._unit}", f"{done / total:.0%}"]
        rate = self._rate()
        if rate is not None:
            parts.append(f"{rate:,.0f}/s" if rate >= 100 else f"{rate:.3g}/s")
            if total is not None:
                parts.append(f"ETA {timedelta(seconds=round((total - done) / rate))}")
        parts += [f"{name} {figure:.4g}" for name, figure in self._figures.items()]
        return "  ".join(parts)

    def _rate(self) -> float | None:
        (first_time, first), (last_time, last) = self._marks[0], self._marks[-1]
        return (last - first) / (last_time - first_time) if last > first else None

    def _due(self, now: float) -> bool:
        return self._printed is None or now - self._printed >= _PLAIN_INTERVAL_SECONDS

    def _redraw(self, line: str) -> None:
        if self._live is None:
            self._live = Live(console=self._console, auto_refresh=False)
            self._live.start()
        self._live.update(Text(line, no_wrap=True, overflow="ellipsis"), refresh=True)
