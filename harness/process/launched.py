"""Jobs of a sweep in other processes than the command's own: joblib's and Ray's, SLURM's."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from types import FrameType
from typing import Any, TextIO

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from harness.checkout import ROOT
from harness.errors import UserError
from harness.process.interrupts import SIGNALS, Handler, Interrupted, be_patient, leave_terminal
from harness.process.surroundings import prepare

#: What submitit has its jobs warned with.
_SUBMITIT = signal.SIGUSR2
# Of this process: whether it is the command's own; else whether a job runs, and what ended one.
_commanding = False
_busy = False
_stopped: Interrupted | None = None
# How the launcher answers signals in this process.
_answers: dict[int, Handler] = {}


def take_command() -> None:
    """Says that this process is the command's own: jobs that run in it are not launched ones.

    Processes that it starts, whatever folder they start in, will find this checkout's modules.
    """
    global _commanding
    _commanding = True
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if str(ROOT) not in paths:
        os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, paths)])


@contextmanager
def launched_job(number: Any) -> Iterator[None]:
    """Around job `number` of a sweep; changes nothing in the command's own process.

    In another process, whatever ends the job is raised as a UserError, which the sweep is told of.
    A signal ends it when it has saved, and those that the process would be given after it; one
    that the launcher handles itself (submitit's, which put the job back into SLURM's queue) is then
    left to it. What jobs say that share a terminal bears their number.
    """
    global _busy, _stopped
    if _commanding:
        yield
        return
    prepare()
    _take_signals()
    if _stopped is not None:
        raise UserError(f"not begun: the sweep was {_stopped}")
    _busy = True
    try:
        with _marked(number):
            yield
    except UserError:
        raise
    except Interrupted as interruption:
        _stopped = interruption
        if (answer := _answers.get(interruption.number)) is not None:
            print(interruption, flush=True)
            answer(interruption.number, None)
            sys.exit(interruption.exit_code)
        raise UserError(str(interruption)) from None
    except Exception as error:
        # it does not travel: exceptions of libraries may not even be read elsewhere
        traceback.print_exc()
        raise UserError(f"job {number} ended with {type(error).__name__}: {error}") from None
    finally:
        _busy = False


class SayWhere(Callback):
    """Tells at the start of a sweep on a cluster where to look."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        print(
            f"the jobs say how far they are in {config.hydra.sweep.dir}/.submitit; this command"
            " waits for them, and they do not need it: given again, it completes what is missing",
            flush=True,
        )


@contextmanager
def _marked(number: Any) -> Iterator[None]:
    """Puts job `number` in front of what is printed, where several jobs share a terminal."""
    if multiprocessing.parent_process() is None:
        yield
        return
    out: Any = _Marked(sys.stdout, number)
    err: Any = _Marked(sys.stderr, number)
    with redirect_stdout(out), redirect_stderr(err):
        yield


class _Marked:
    """A stream of whole lines that begin with a job's number."""

    def __init__(self, stream: TextIO, number: Any):
        self._stream, self._mark, self._begun = stream, f"[{number}] ", ""

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        # at once: of two processes' writes to one file none cuts the other
        self._stream.write("".join(f"{self._mark}{line}\n" for line in lines))
        return len(text)

    def flush(self) -> None:
        self._stream.flush()

    def isatty(self) -> bool:
        return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _take_signals() -> None:
    """Finds which signals the launcher answers in this process, and answers the others."""
    if _answers or threading.current_thread() is not threading.main_thread():
        return
    for number in (*SIGNALS, _SUBMITIT):
        handler = signal.getsignal(number)
        if callable(handler) and handler not in (signal.default_int_handler, _stop):
            _answers[number] = handler
        elif number in SIGNALS and handler != signal.SIG_IGN:
            signal.signal(number, _stop)
    if _SUBMITIT in _answers:
        _answers[signal.SIGTERM] = _preempted
    be_patient(_answers.keys() - {*SIGNALS})


def _preempted(number: int, frame: FrameType | None) -> None:
    """submitit lets SIGTERM pass, and is killed when its time is over. This job has saved and can
    go, but of jobs that end by themselves SLURM requeues none: so this one asks for it, unless it
    has been requeued or cancelled already."""
    if _slurm_state() == "RUNNING":
        _answers[_SUBMITIT](number, frame)


def _slurm_state() -> str:
    """What SLURM thinks of this process's job, empty where it is none or there is no answer."""
    command = ["squeue", "--noheader", "--format=%T", f"--jobs={os.environ.get('SLURM_JOB_ID')}"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.strip()


def _stop(number: int, frame: FrameType | None) -> None:
    """Ends the job; between two jobs, the next one at its beginning."""
    global _stopped
    if number == signal.SIGHUP:
        leave_terminal()
    _stopped = _stopped or Interrupted(number)
    if _busy:
        raise _stopped
