"""What a result depends on besides its configuration: versions, device, commit, command."""

import os
import platform
import subprocess
import sys
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from harness.checkout import ROOT
from harness.process.numerics import describe_numerics

_PACKAGES = (
    "jax",
    "jaxlib",
    "equinox",
    "optax",
    "numpy",
    "mujoco",
    "mujoco-py",
    "gym",
    "gymnasium",
    "d4rl",
    "wandb",
)
#: Domains that are not evaluated in MuJoCo's environments.
_OTHER_SIMULATORS = {"custom": "gymnasium", "pendulum": "gymnasium", "bandit": "jax"}


def describe_environment(domain: str, engine: str) -> dict[str, Any]:
    """The contents of environment.json. Starts JAX's backend, to name the device.

    `engine` is the setting for MuJoCo's environments, which not every `domain` evaluates in.
    """
    import jax

    versions = {name: _version(name) for name in _PACKAGES}
    simulator = _OTHER_SIMULATORS.get(domain, engine)
    return {
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "command": [sys.executable, *sys.argv],
        "folder": os.getcwd(),
        "git_commit": _git("rev-parse", "HEAD"),
        "git_changed_files": _changed_files(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "backend": jax.default_backend(),
        "devices": [device.device_kind for device in jax.devices()],
        "engine": {"name": simulator, "version": versions.get(simulator.replace("_", "-"))},
        **describe_numerics(),
        "versions": versions,
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _changed_files() -> list[str] | None:
    status = _git("status", "--porcelain", "--untracked-files=no")
    return None if status is None else [line[2:].strip() for line in status.splitlines()]


def _git(*arguments: str) -> str | None:
    """git's answer about this checkout; None where there is no git or no checkout."""
    command = ["git", "-C", str(ROOT), *arguments]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.rstrip()
