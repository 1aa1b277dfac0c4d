"""The process that a program finds itself in, put right before JAX, wandb or D4RL look at it."""

import os
import sys
import tempfile
from pathlib import Path

from harness.checkout import ROOT

# Where libraries keep what they could fetch or compute again, if the home folder cannot be written.
_CACHES = {
    "XDG_CACHE_HOME": "",
    "XDG_CONFIG_HOME": "config",
    "XDG_DATA_HOME": "data",
    "WANDB_CACHE_DIR": "wandb",
    "WANDB_CONFIG_DIR": "wandb",
    "WANDB_DATA_DIR": "wandb",
    "MPLCONFIGDIR": "matplotlib",
}
_OFF = ("", "0", "false", "no", "off", "n", "f")


def prepare() -> None:
    """Settles number type and home folder; every change is said on stderr. Calls after the first
    change nothing."""
    if os.environ.pop("JAX_ENABLE_X64", "").lower() not in _OFF:
        _note("JAX_ENABLE_X64 is ignored: everything is computed in float32, as published")
    try:
        home = Path.home()
    except RuntimeError:
        os.environ["HOME"] = str(_spare_folder() / "home")
        _note(f"this user has no home folder (HOME is not set): {os.environ['HOME']} is used")
        home = Path.home()
        home.mkdir(parents=True, exist_ok=True)
    base = os.environ.get("XDG_CACHE_HOME")
    if not base and not _writable(home / ".cache"):
        spare = _spare_folder()
        for name, folder in _CACHES.items():
            os.environ.setdefault(name, str(spare / folder))
        _note(f"the home folder {home} cannot be written: caches are in {spare}")


def _spare_folder() -> Path:
    """The checkout's own cache folder, or one of this user's where the checkout is read-only."""
    spare = ROOT / ".cache"
    return spare if _writable(spare) else Path(tempfile.gettempdir()) / f"neubay-{os.getuid()}"


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def _note(text: str) -> None:
    # in one write, as `say` in reporting.py
    print(f"note: {text}\n", end="", file=sys.stderr, flush=True)
