"""Choose the MuJoCo engine under gym's and d4rl's environment classes."""

import importlib
import importlib.util
import os
import re
import subprocess
import sys
import textwrap
import types
import warnings
from dataclasses import dataclass
from typing import Any

from catalogue.engines import ENGINES
from harness.errors import UserError

_USED_SUITES = ("d4rl.locomotion", "d4rl.hand_manipulation_suite", "d4rl.gym_mujoco")
# d4rl imports these without being asked. No task here needs them; they are slow to import, and
# pybullet prints its build date to the screen.
_UNUSED_SUITES = (
    "d4rl.flow",
    "d4rl.kitchen",
    "d4rl.carla",
    "d4rl.gym_bullet",
    "d4rl.pointmaze_bullet",
)


@dataclass(frozen=True)
class EngineInfo:
    """The simulator that produced a result; `name` as in the config key `engine`."""

    name: str
    version: str


def install(engine: str = "mujoco") -> EngineInfo:
    """Make gym's MuJoCo environments and d4rl importable on `engine`; call before importing them.

    `mujoco` puts a look-alike of mujoco_py over the official bindings; `mujoco_py` uses the real
    one, where a user has it. A second call with the same engine only returns the `EngineInfo`.

    **Raises:** `UserError` for an unknown engine, for a mujoco_py that cannot be imported, and
    where the process already runs on the other engine.
    """
    if engine not in ENGINES:
        raise UserError(f"engine={engine} is not one of {', '.join(ENGINES)}.")
    quiet_gym()
    info = _install_lookalike() if engine == "mujoco" else _check_mujoco_py()
    _install_mjrl()
    _import_d4rl()
    return info


def _install_lookalike() -> EngineInfo:
    mujoco = _imported_mujoco()
    from experience.engine import lookalike

    if sys.modules.setdefault("mujoco_py", lookalike) is not lookalike:
        raise UserError(
            "engine=mujoco was asked for, but this process has already imported the real "
            "mujoco_py; use engine=mujoco_py or start a new process."
        )
    return EngineInfo("mujoco", mujoco.__version__)


def _imported_mujoco() -> types.ModuleType:
    try:
        return importlib.import_module("mujoco")
    except (ImportError, RuntimeError, AttributeError) as error:
        # it loads what MUJOCO_GL names, whether anything is drawn or not
        if "MUJOCO_GL" not in os.environ:
            raise
        raise UserError(
            f"MuJoCo cannot be imported with MUJOCO_GL={os.environ['MUJOCO_GL']} ({error}): unset"
            " MUJOCO_GL, or install the library that it names"
        ) from error


def _check_mujoco_py() -> EngineInfo:
    present = sys.modules.get("mujoco_py")
    if present is not None and present.__name__ != "mujoco_py":
        raise UserError(
            "engine=mujoco_py was asked for, but this process already runs on engine=mujoco; "
            "start a new process."
        )
    if present is None:
        # Its import compiles C code and fails in many ways, so it is tried in a process of its own.
        command = [sys.executable, "-c", "import mujoco_py"]
        trial = subprocess.run(command, capture_output=True, text=True, check=False)
        if trial.returncode != 0:
            raise UserError(
                "engine=mujoco_py needs a mujoco_py that can be imported, but here: "
                f"{_reason(trial.stderr) or f'exit status {trial.returncode}'}; "
                "install MuJoCo 2.1.0 and mujoco_py, or use engine=mujoco."
            )
    return EngineInfo("mujoco_py", importlib.import_module("mujoco_py").__version__)


def _reason(stderr: str) -> str:
    """The exception at the end of a traceback on one line; empty where there is none."""
    # mujoco_py's own messages go on over many lines and start with an empty one.
    starts = [m.start() for m in re.finditer(r"^[\w.]*(?:Error|Exception):", stderr, re.MULTILINE)]
    return textwrap.shorten(stderr[starts[-1] :], 300, placeholder=" …") if starts else ""


def quiet_gym() -> None:
    """Silence gym's notices about itself: the pins are this project's choice, not the user's."""
    from gym_notices import notices

    notices.notices.clear()
    # Importing gym switches every library's DeprecationWarnings on; that is undone here.
    with warnings.catch_warnings():
        from gym import logger

    logger.set_level(logger.ERROR)


def _install_mjrl() -> None:
    if "mjrl" in sys.modules or importlib.util.find_spec("mjrl") is not None:
        return
    from experience.engine import mjrl_env

    package, envs = types.ModuleType("mjrl"), types.ModuleType("mjrl.envs")
    vars(package)["envs"], vars(envs)["mujoco_env"] = envs, mjrl_env
    sys.modules["mjrl"] = package
    sys.modules["mjrl.envs"] = envs
    sys.modules["mjrl.envs.mujoco_env"] = mjrl_env


def _import_d4rl() -> None:
    """Have d4rl register its tasks with gym, without importing the suites not used here."""
    os.environ.setdefault("D4RL_SUPPRESS_IMPORT_ERROR", "1")
    absent = [suite for suite in _UNUSED_SUITES if suite not in sys.modules]
    # None keeps Python from importing a module
    modules: dict[str, Any] = sys.modules
    modules.update(dict.fromkeys(absent))
    try:
        # d4rl swallows import errors of its suites; naming them brings the error to light.
        for suite in _USED_SUITES:
            importlib.import_module(suite)
    finally:
        for suite in absent:
            del sys.modules[suite]
