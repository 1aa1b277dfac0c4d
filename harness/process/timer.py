"""What is due now and then, and for how long a run has been going."""

import time


class Every:
    """Calling it says whether `seconds` have passed since it last said so (or was made)."""

    def __init__(self, seconds: float):
        self._seconds = seconds
        self._last = time.monotonic()

    def __call__(self) -> bool:
        now = time.monotonic()
        if now - self._last < self._seconds:
            return False
        self._last = now
        return True


class Clock:
    """Counts on from `minutes`, those of the processes that a run was in before."""

    def __init__(self, minutes: float = 0.0):
        self._began = time.monotonic() - 60 * minutes

    def minutes(self) -> float:
        return (time.monotonic() - self._began) / 60
