"""Requests to stop (Ctrl-C, a cluster's signals, a lost terminal), at a moment the program chooses.

A Python handler runs only between two steps of the main thread, which may be inside a compiled
computation for minutes. So a thread of its own listens too: it answers at once, and a second
request ends the process from there.
"""

import multiprocessing
import os
import signal
import stat
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from types import FrameType

#: Ctrl-C, kill and batch systems, SLURM's warning before a time limit, a terminal that is gone.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)
Handler = Callable[[int, FrameType | None], object]
_HEARD = "stopping at the next safe point, then saving"
_ONCE_MORE = f"{_HEARD}; once more to stop at once\n"
_FORWARDED = "stopping the jobs, each at its next safe point; once more to kill them\n"
# Those that this process hears, and whether the second one is as good as the first.
_heard: tuple[int, ...] = SIGNALS
_patient = False


class Interrupted(BaseException):
    """The user or the cluster asked the program to stop.

    Not an Exception, like KeyboardInterrupt: a sweep must stop too instead of taking the next job.
    """

    def __init__(self, number: int, saved: str = ""):
        super().__init__(f"stopped by {signal.Signals(number).name}{saved}")
        self.number = number
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
        if not _patient:
            # Who asks twice does not want to wait for the safe point.
            self.check()
        self._number = self._number or number
        if number == signal.SIGHUP:
            leave_terminal()


def be_patient(others: Iterable[int] = ()) -> None:
    """Says that a launcher started this process for jobs, and warns them with `others` too.

    Asking twice is then asking once: whoever started the process can kill it.
    """
    global _patient, _heard
    _patient, _heard = True, (*SIGNALS, *others)


@contextmanager
def raised_at_once() -> Iterator[None]:
    """Inside, a signal raises Interrupted wherever the main thread is.

    Where jobs run in processes that this one started, they are asked to stop, and it is raised at
    the end of the block, which they end; a second signal is raised at once.
    """
    came: list[int] = []
    after = ""

    def handler(number: int, frame: FrameType | None) -> None:
        nonlocal after
        if number == signal.SIGHUP:
            leave_terminal()
        came.append(number)
        if "ray" in sys.modules:
            # it swallows any other exception while it waits
            raise KeyboardInterrupt
        if len(came) > 1 or not (jobs := _jobs()):
            raise Interrupted(number)
        after = ", after its jobs"
        _tell(_FORWARDED)
        for job in jobs:
            if job.pid is not None and job.is_alive():
                os.kill(job.pid, number)

    try:
        with _handled_by(handler):
            yield
    finally:
        if came:
            raise Interrupted(came[0], after) from None


def _jobs() -> list[BaseProcess]:
    """The processes that joblib runs a sweep's jobs in."""
    children = multiprocessing.active_children()
    return [child for child in children if ".loky." in type(child).__module__]


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
def _handled_by(handler: Handler) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        # Python delivers signals to the main thread only.
        yield
        return
    # nohup and the like have signals ignored, and mean it
    wanted = [n for n in _heard if n != signal.SIGHUP or signal.getsignal(n) != signal.SIG_IGN]
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
        if number[0] not in _heard:
            continue
        name = signal.Signals(number[0]).name
        came += 1
        if _patient:
            _tell(f"{name}: {_HEARD}\n")
        else:
            _tell(_ONCE_MORE if came == 1 else f"stopped by {name} at once\n")
            if came > 1:
                os._exit(128 + number[0])


def _tell(text: str) -> None:
    # not print: the main thread may be in the middle of another write
    try:
        os.write(2, text.encode())
    except OSError:
        # the terminal is gone
        return


def leave_terminal() -> None:
    """A terminal that is gone refuses every further line: what follows goes nowhere instead."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        # not isatty, which a lost terminal denies; files and pipes stay
        if stream is not None and stat.S_ISCHR(os.fstat(stream.fileno()).st_mode):
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
