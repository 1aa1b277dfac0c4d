"""Requests to stop (Ctrl-C, a cluster's signals, a lost terminal), at a moment the program chooses.

A Python handler runs only between two steps of the main thread, which may be inside a compiled
computation for minutes. So a thread of its own listens too: it answers at once, and a second
request ends the process from there.
"""

import os
import signal
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

#: Ctrl-C, kill and batch systems, SLURM's warning before a time limit, a terminal that is gone.
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)
_Handler = Callable[[int, FrameType | None], None]
_HEARD = "stopping at the next safe point, then saving; once more to stop at once\n"


class Interrupted(BaseException):
    """The user or the cluster asked the program to stop.

    Not an Exception, like KeyboardInterrupt: a sweep must stop too instead of taking the next job.
    """

    def __init__(self, number: int, saved: str = ""):
        super().__init__(f"stopped by {signal.Signals(number).name}{saved}")
        self.exit_code = 128 + number


class Pending:
    """A request to stop that waits for `check`."""

    def __init__(self) -> None:
        self._number: int | None = None

    @property
    def requested(self) -> bool:
        return self._number is not None

    def check(self, saved: str = "") -> None:
        """Raises Interrupted if a signal has come; call it where the state has been saved.

        `saved` follows the signal's name in the message.
        """
        if self._number is not None:
            raise Interrupted(self._number, saved)

    def receive(self, number: int, frame: FrameType | None) -> None:
        # Who asks twice does not want to wait for the safe point.
        self.check()
        self._number = number
        if number == signal.SIGHUP:
            _leave_terminal()


@contextmanager
def raised_at_once() -> Iterator[None]:
    """Inside, a signal raises Interrupted wherever the main thread is."""

    def handler(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            _leave_terminal()
        raise Interrupted(number)

    with _handled_by(handler):
        yield


@contextmanager
def deferred() -> Iterator[Pending]:
    """Inside, a first signal only sets a flag, which the loop reads with `check`.

    A second signal ends the process at once, wherever it is: what was saved before stays. A signal
    that nobody checked is raised at the end.
    """
    pending = Pending()
    with _handled_by(pending.receive), _heard_at_once():
        yield pending
    pending.check()


@contextmanager
def _handled_by(handler: _Handler) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        # Python delivers signals to the main thread only.
        yield
        return
    # nohup and the like have signals ignored, and mean it
    wanted = [n for n in _SIGNALS if n != signal.SIGHUP or signal.getsignal(n) != signal.SIG_IGN]
    previous = {number: signal.signal(number, handler) for number in wanted}
    try:
        yield
    finally:
        for number, old in previous.items():
            signal.signal(number, old)


@contextmanager
def _heard_at_once() -> Iterator[None]:
    """Answers the first of our signals on the screen, and the second with the process's end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # the system writes each signal's number into `entry` the moment it comes
    exit_, entry = os.pipe()
    os.set_blocking(entry, False)
    previous = signal.set_wakeup_fd(entry, warn_on_full_buffer=False)
    listener = threading.Thread(target=_listen, args=(exit_,), daemon=True, name="signals")
    listener.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(previous)
        os.close(entry)
        listener.join()
        os.close(exit_)


def _listen(exit_: int) -> None:
    came = 0
    while number := os.read(exit_, 1):
        if number[0] in _SIGNALS:
            came += 1
            _tell(_HEARD if came == 1 else f"stopped by {signal.Signals(number[0]).name} at once\n")
            if came > 1:
                os._exit(128 + number[0])


def _tell(text: str) -> None:
    # not print: the main thread may be in the middle of another write
    try:
        os.write(2, text.encode())
    except OSError:
        # the terminal is gone
        return


def _leave_terminal() -> None:
    """A terminal that is gone refuses every further line: what follows goes nowhere instead."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        # not isatty, which a lost terminal denies; files and pipes stay
        if stream is not None and stat.S_ISCHR(os.fstat(stream.fileno()).st_mode):
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
