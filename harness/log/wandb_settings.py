"""What the configuration, wandb's environment variables and its login say about a run."""

import netrc
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from harness.errors import UserError
from harness.files import write_text

_MODES = ("online", "offline", "shared", "disabled", "dryrun", "run")


def check_settings(mode: str, *, many_jobs: bool = False) -> None:
    """Raises UserError for settings of `wandb.mode` and the environment that cannot work."""
    if mode == "disabled":
        return
    if many_jobs and os.environ.get("WANDB_RUN_ID"):
        raise UserError(
            "WANDB_RUN_ID names one run, but this command starts several, which would all log"
            " there: unset it"
        )
    server_mode(mode)


def server_mode(mode: str) -> str:
    """`wandb_mode` for the server that wandb's own settings name."""

    def server() -> str:
        # it takes a second to import
        import wandb

        return wandb.Settings().base_url

    return wandb_mode(mode, server)


def wandb_mode(mode: str, server: Callable[[], str]) -> str:
    """What `wandb.mode` means here: auto is WANDB_MODE, else online where a login for `server`
    exists, else offline.

    Raises UserError for `online` without a login, where wandb would stop and ask for one.
    """
    setting = f"wandb.mode={mode}"
    if mode == "auto":
        mode = os.environ.get("WANDB_MODE") or ("online" if _has_login(server()) else "offline")
        setting = f"WANDB_MODE={mode}"
        if mode not in _MODES:
            raise UserError(f"{setting} is not known: give one of {', '.join(_MODES)}")
    if mode in ("online", "run") and not _has_login(server()):
        raise UserError(
            f"{setting} needs a login: run `wandb login` or set WANDB_API_KEY, or use"
            " wandb.mode=offline"
        )
    return mode


def project(program: str, config: Any) -> str:
    """What was typed, else the environment's, else a name for agents and one for world models."""
    own = config.domain
    if program.endswith("_ensemble"):
        own = config.ensemble.domain
        # here, since the training loop's logger also serves where Hydra is not installed
        from harness.configuration.typed import typed_keys

        if "ensemble.domain" in typed_keys():
            return config.wandb.project or own
    return config.wandb.project or os.environ.get("WANDB_PROJECT") or own


def _has_login(server: str) -> bool:
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    file = Path(os.environ.get("NETRC") or Path.home() / ".netrc")
    try:
        return netrc.netrc(str(file)).authenticators(urlsplit(server).hostname or "") is not None
    except (OSError, netrc.NetrcParseError):
        return False


def run_id(file: Path) -> str:
    """The id under which every session of this run logs; an agent of a sweep gives its own."""
    given = os.environ.get("WANDB_RUN_ID")
    if given or not file.exists():
        write_text(file, (given or uuid.uuid4().hex[:8]) + "\n")
    return file.read_text().strip()
