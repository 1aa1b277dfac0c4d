"""How the running program was started, to name the command of another one that it needs."""

import os
import shlex
from collections.abc import Collection
from pathlib import Path

from hydra.core.hydra_config import HydraConfig

from harness.checkout import CONFIG_ROOT, script_command
from harness.run.naming import within


def typed_keys() -> set[str]:
    """The dotted keys that this program's command line gives a value; outside a program, none."""
    if not HydraConfig.initialized():
        return set()
    return {_key(override) for override in HydraConfig.get().overrides.task}


def sibling_command(script: str, keys: Collection[str], *, otherwise: str) -> str:
    """The command line that starts `script` with the present configuration.

    `script` is relative to the checkout; of the present overrides, those of `keys` (a dotted key
    or a group) go with it. Outside a program (a notebook) there is no command line, and the answer
    is `script` with the arguments in `otherwise`.
    """
    if not HydraConfig.initialized():
        return f"{script_command(script)} {otherwise}"
    settings = HydraConfig.get()
    folder = next(s.path for s in settings.runtime.config_sources if s.provider == "main")
    # Hydra reads a relative --config-path from the script's own folder.
    path = os.path.relpath(folder, CONFIG_ROOT.parent / Path(script).parent)
    arguments = [f"--config-path={path}", f"--config-name={settings.job.config_name}"]
    for override in settings.overrides.task:
        if within(_key(override), keys):
            arguments.append(override)
    return f"{script_command(script)} {shlex.join(arguments)}"


def _key(override: str) -> str:
    return override.lstrip("+~").partition("=")[0]
