"""Which keys are a run's own: they name its folder and may not change when it goes on."""

import hashlib
import re
from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any

from harness.configuration.keys import flat, within
from harness.configuration.schema import ProgramConfig

#: Keys that change where and how a run is kept and shown, not what it learns.
FREE_KEYS = (
    *("run_root", "run_dir", "restart", "save_agent", "save_agent_root"),
    *("gpu", "wandb", "checkpoint", "hydra", "ensemble.domain", "ensemble.plot_dir"),
)
# Keys that change the last digits only: they name a run, but it goes on with others.
_EXECUTION_KEYS = (
    *("train.replay", "train.memory_scan", "train.matmul_precision"),
    *("ensemble.devices", "eval.beside_training"),
)
_NAMED_ELSEWHERE = ("seed", "seeds", "dataset_name", "sweep")
_PLAIN_CONFIGS = ("base", "base_markov", "offline_bandit")
_LONGEST_NAME = 150


def run_name(
    overrides: Sequence[str], config_name: str, relevant: Collection[str] | None = None
) -> str:
    """The folder name that tells a run from its siblings: whatever was overridden, in order.

    `relevant` are the keys and groups that the program learns from, None for all.
    """
    parts = [] if config_name in _PLAIN_CONFIGS else [config_name]
    # A sweep passes on values in Hydra's spelling (True, 1e-06), which a single run must share.
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parsed = OverridesParser.create().parse_overrides(list(overrides))
    # of a key given twice the last value counts
    for key, override in sorted({each.key_or_group: each for each in parsed}.items()):
        if key not in _NAMED_ELSEWHERE and _is_own(key, relevant):
            parts.append(f"{key}={override.get_value_element_as_str()}")
    name = as_folder(",".join(parts)) or "default"
    if len(name) > _LONGEST_NAME:
        digest = hashlib.sha256(name.encode()).hexdigest()[:8]
        name = f"{name[:_LONGEST_NAME]}-{digest}"
    return name


def as_folder(text: str) -> str:
    return re.sub(r"[^\w.=,+-]", "_", text)


def changed_keys(
    old: dict[str, Any], config: ProgramConfig, relevant: Collection[str] | None
) -> list[str]:
    """ "key: old -> new" for every key in which another run is meant than the `old` one (dotted).

    A key that the old run does not have, because its version did not, was at its default.
    """
    new, defaults = flat(asdict(config)), flat(asdict(type(config)()))
    keys = [key for key in {**old, **new} if _is_own(key, relevant) and key not in _EXECUTION_KEYS]
    before = {key: old[key] if key in old else defaults.get(key) for key in keys}
    return [
        f"{key}: {before[key]} -> {new.get(key, '(absent)')}"
        for key in keys
        if key not in new or before[key] != new[key]
    ]


def _is_own(key: str, relevant: Collection[str] | None) -> bool:
    return not within(key, FREE_KEYS) and (relevant is None or within(key, relevant))
