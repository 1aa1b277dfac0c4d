"""Things that are due now and then."""

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
