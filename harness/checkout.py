"""Where this checkout is."""

import shlex
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONFIG_ROOT = ROOT / "configs"


def script_command(script: str) -> str:
    """How a shell in the present folder starts a script of this checkout, given relative to it."""
    return f"python {script if Path.cwd() == ROOT else shlex.quote(str(ROOT / script))}"
