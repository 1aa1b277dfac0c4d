"""Ctrl-C and SIGTERM as an exception in the main thread, at a moment the program chooses."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_Handler = Callable[[int, FrameType | None], None]


class Interrupted(BaseException):
    """The user or the cluster asked the program to stop.

    Not an Exception, like KeyboardInterrupt: a sweep must stop too instead of taking the next job.
    """

    def __init__(self, number: int):
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.exit_code = 128 + number


class Pending:
    """A request to stop that waits for `check`."""

    def __init__(self) -> None:
        self._number: int | None = None

    @property
    def requested(self) -> bool:
        return self._number is not None

    def check(self) -> None:
        """Raises Interrupted if a signal has come; call it where the state is worth saving."""
        if self._number is not None:
            raise Interrupted(self._number)

    def receive(self, number: int, frame: FrameType | None) -> None:
        # Who asks twice does not want to wait for the safe point.
        self.check()
        self._number = number
        # not print: a handler may run in the middle of another write
        os.write(2, b"stopping at the next safe point, then saving; once more to stop at once\n")


@contextmanager
def raised_at_once() -> Iterator[None]:
    """Inside, a signal raises Interrupted wherever the main thread is."""

    def handler(number: int, frame: FrameType | None) -> None:
        raise Interrupted(number)

    with _handled_by(handler):
        yield


@contextmanager
def deferred() -> Iterator[Pending]:
    """Inside, a first signal only sets a flag, which the loop reads with `check`.

    A second signal raises Interrupted at once. A signal that nobody checked is raised at the end.
    """
    pending = Pending()
    with _handled_by(pending.receive):
        yield pending
    pending.check()


@contextmanager
def _handled_by(handler: _Handler) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        # Python delivers signals to the main thread only.
        yield
        return
    previous = {number: signal.signal(number, handler) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, old in previous.items():
            signal.signal(number, old)
