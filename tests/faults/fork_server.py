"""Real programs, started from a process that has imported what they import: seconds cheaper each.

The process is forked before JAX has started its backend, so every program starts its own.
"""

import contextlib
import ctypes
import multiprocessing
import os
import runpy
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.cli.programs import REPOSITORY, environment

#: Between two looks at a run's directory.
POLL_SECONDS = 0.002

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        *("jax", "equinox", "optax", "hydra", "wandb", "matplotlib.pyplot", "h5py", "gymnasium"),
        *("programs.continuous", "programs.bandit", "programs.ensemble_training"),
    ]
)


class Program:
    """A program of this repository, running in `folder`; what it says is in `output`."""

    def __init__(
        self,
        folder: Path,
        script: str,
        *arguments: str,
        output: str = "",
        almighty: bool = True,
        **variables: str,
    ):
        """Without `almighty`, permissions bind the program even where root runs the tests."""
        self.output = folder / (output or f"{Path(script).stem}.txt")
        variables = environment(folder) | variables
        self._process = _CONTEXT.Process(
            target=_run, args=(folder, script, arguments, variables, self.output, almighty)
        )
        self._process.start()

    def send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, number)

    def end(self, timeout: float = 600) -> int:
        """Waits for its end; the exit code, negative for a signal's number."""
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            self.send(signal.SIGKILL)
            raise TimeoutError(self.output.read_text())
        return code

    @property
    def running(self) -> bool:
        return self._process.is_alive()

    def stop_at(self, moment: Callable[[], bool], number: signal.Signals) -> bool:
        """Sends the signal the instant that `moment()` is true; whether it came before the end."""
        while self.running:
            if moment():
                self.send(number)
                return True
            time.sleep(POLL_SECONDS)
        return False


def _run(folder, script, arguments, variables, output, almighty):
    if not almighty:
        _obey_permissions()
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    # as after an exec: the server's own handling does not belong to the program
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = [str(REPOSITORY / script), *arguments]
    sys.path.insert(0, str((REPOSITORY / script).parent))
    runpy.run_path(sys.argv[0], run_name="__main__")


def _obey_permissions() -> None:
    """Gives up root's right to write where permissions forbid it (capset(2), CAP_DAC_OVERRIDE)."""
    version, override = 0x20080522, 1 << 1
    header = (ctypes.c_uint32 * 2)(version, 0)
    # effective, permitted and inheritable, for the lower and the upper 32 capabilities
    sets = (ctypes.c_uint32 * 6)()
    libc = ctypes.CDLL(None, use_errno=True)
    for call in (libc.capget, libc.capset):
        sets[0], sets[1] = sets[0] & ~override, sets[1] & ~override
        if call(header, sets):
            raise OSError(ctypes.get_errno(), "capabilities")
