"""The project's programs in this process: what each ends with, without an interpreter of its own.

For endings that do not depend on the process: signals, what is imported when, and one of each kind
of ending are those of tests.cli.programs.
"""

import contextlib
import io
import os
import runpy
import subprocess
import sys
from pathlib import Path
from unittest import mock

import jax
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

from harness.process import launched, numerics
from tests.cli import programs
from tests.cli.programs import REPOSITORY

#: As JAX is without the tests' strictness, in all threads; the precision, which configurations set.
SETTINGS = {
    "jax_numpy_dtype_promotion": "standard",
    "jax_numpy_rank_promotion": "allow",
    "jax_default_matmul_precision": os.environ.get("JAX_DEFAULT_MATMUL_PRECISION"),
}


#: pytest --processes: each program in an interpreter of its own after all
as_processes = False


def run(folder: Path, script: str, *arguments: str, **variables: str):
    """As programs.run: an exception that is no exit code is the test's own."""
    if as_processes:
        return programs.run(folder, script, *arguments, **variables)
    path, code = REPOSITORY / script, 0
    with _as_a_program(folder, [str(path), *arguments], variables) as (out, err):
        try:
            runpy.run_path(str(path), run_name="__main__")
        except SystemExit as end:
            code = end.code or 0
    return subprocess.CompletedProcess([script, *arguments], code, out.getvalue(), err.getvalue())


def succeed(folder: Path, script: str, *arguments: str, **variables: str) -> str:
    return programs.succeeded(run(folder, script, *arguments, **variables))


def fail(folder: Path, script: str, *arguments: str, **variables: str) -> str:
    return programs.failed(run(folder, script, *arguments, **variables))


@contextlib.contextmanager
def _as_a_program(folder: Path, command: list[str], variables: dict[str, str]):
    """What a new process would begin with; all of it is put back."""
    out, err = io.StringIO(), io.StringIO()
    environment = programs.environment(folder) | variables
    before = {name: getattr(jax.config, name) for name in SETTINGS}
    with (
        contextlib.chdir(folder),
        mock.patch.dict(os.environ, environment, clear=True),
        mock.patch.object(sys, "argv", command),
        mock.patch.object(sys, "path", [str(Path(command[0]).parent), *sys.path]),
        mock.patch.object(launched, "_commanding", False),
        mock.patch.object(numerics, "_chosen", None),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            _update(SETTINGS)
            yield out, err
        finally:
            GlobalHydra.instance().clear()
            HydraConfig.instance().cfg = None
            _update(before)
            # it changes sys.path when it is imported
            sys.modules.pop("_checkout", None)


def _update(settings: dict[str, str | None]) -> None:
    for name, value in settings.items():
        jax.config.update(name, value)
