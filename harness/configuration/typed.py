"""What a command line sets, and the command of another program that sets the same."""

import json
import os
import shlex
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from harness.checkout import CONFIG_ROOT, script_command
from harness.configuration.keys import flat, within
from harness.configuration.schema import ProgramConfig


def overridden_keys(overrides: Sequence[str]) -> set[str]:
    """The dotted keys that a command line sets."""
    return {override.key_or_group for override in parsed_overrides(overrides)}


def typed_keys() -> set[str]:
    """The dotted keys that the running program's command line sets; none outside a program."""
    if not HydraConfig.initialized():
        return set()
    return overridden_keys(HydraConfig.get().overrides.task)


def sibling_command(
    script: str, keys: Collection[str], *, otherwise: Callable[[], Sequence[str]]
) -> str:
    """The command line that starts `script` with the present configuration.

    `script` is relative to the checkout; of the present overrides, those of `keys` (a dotted key
    or a group) go with it. Outside a program (a notebook) there is no command line, and the answer
    is `script` with the arguments that `otherwise` gives.
    """
    if not HydraConfig.initialized():
        return f"{script_command(script)} {shlex.join(otherwise())}"
    settings = HydraConfig.get()
    folder = next(s.path for s in settings.runtime.config_sources if s.provider == "main")
    # Hydra reads a relative --config-path from the script's own folder.
    path = os.path.relpath(folder, CONFIG_ROOT.parent / Path(script).parent)
    arguments = [f"--config-path={path}", f"--config-name={settings.job.config_name}"]
    return f"{script_command(script)} {shlex.join([*arguments, *typed_overrides(keys)])}"


def typed_overrides(keys: Collection[str]) -> list[str]:
    """What the running program's command line sets of `keys` (dotted keys or groups), as typed;
    nothing outside a program."""
    if not HydraConfig.initialized():
        return []
    task = parsed_overrides(HydraConfig.get().overrides.task)
    return [str(each.input_line) for each in task if within(each.key_or_group, keys)]


def differing_overrides(
    config: ProgramConfig, composed: DictConfig, keys: Collection[str]
) -> list[str]:
    """The overrides of what was `composed` that give `config`, in `keys` (dotted keys or groups).

    Entries of a mapping that `config` does not have stay.
    """
    theirs: Any = OmegaConf.to_container(composed, resolve=True)
    ours, theirs = flat(asdict(config)), flat(theirs)
    return [
        f"{'' if key in theirs else '++'}{key}={json.dumps(value)}"
        for key, value in ours.items()
        if within(key, keys) and value != {} and (key not in theirs or theirs[key] != value)
    ]


def parsed_overrides(overrides: Sequence[str]) -> list[Override]:
    """A command line in Hydra's terms; HydraException where it cannot be read."""
    return OverridesParser.create().parse_overrides(list(overrides))
