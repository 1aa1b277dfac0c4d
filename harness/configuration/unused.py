"""Settings that would be ignored in silence beside the others, and are refused instead.

Such a setting was typed, or a file gives it another value than the default.
"""

from collections.abc import Collection
from dataclasses import fields
from operator import attrgetter
from typing import Any

from catalogue import domains
from harness.configuration.groups import EnvConfig, memories
from harness.configuration.schema import ContinuousConfig, ProgramConfig
from harness.errors import UserError

#: What a memory may name as `unused` → the key that sets it.
MEMORY_KEYS = {
    "r_min": "model.memory.r_min",
    "r_max": "model.memory.r_max",
    "strategy": "train.memory_scan",
}
#: What describes an environment of one's own, and not only the data.
ENVIRONMENT_KEYS = tuple(
    f"env.{a_field.name}"
    for a_field in fields(EnvConfig)
    if a_field.name not in ("dataset_path", "clip_actions")
)


def check_unused(
    config: ProgramConfig, typed: Collection[str], never_reads: Collection[str] = ()
) -> None:
    """Refuses what has no effect on data, environment and records, whatever is trained.

    `never_reads` are keys of the schema that mean nothing to the program. Raises UserError.
    """
    for key in never_reads:
        _refuse(config, key, typed, "to this program: leave it out")
    if not config.save_agent:
        reason = "without save_agent=true: add that, or leave save_agent_root out"
        _refuse(config, "save_agent_root", typed, reason)
    if config.domain not in domains.PUBLISHED:
        reason = f"to domain {config.domain}, which has another simulator: leave it out"
        _refuse(config, "engine", typed, reason)
    elif isinstance(config, ContinuousConfig):
        reason = (
            f"in domain {config.domain}, whose environments are known by the dataset's name: leave"
            " it out, or describe an environment of your own with configs/custom"
        )
        for key in ENVIRONMENT_KEYS:
            _refuse(config, key, typed, reason)
        if domains.OWN_MARK not in config.dataset_name:
            reason = f"to the published dataset {config.dataset_name}: leave it out"
            _refuse(config, "env.clip_actions", typed, reason)


def check_unused_by_agent(config: Any, typed: Collection[str]) -> None:
    """Refuses what has no effect on an agent of the chosen kind. Raises UserError."""
    memory = getattr(config.model, "memory", None)
    if memory is None:
        reason = "to an agent without memory: leave it out"
        _refuse(config, "train.memory_scan", typed, reason)
    else:
        reason = f"to model.memory.kind={memory.kind}: leave it out, or choose another kind"
        for name, key in MEMORY_KEYS.items():
            # the table is looked up only where it matters: it brings JAX
            if _is_set(config, key, typed) and name in memories()[memory.kind].unused:
                _refuse(config, key, typed, reason)
    # presets set the rate for every agent, tuned tasks hold the temperature
    if "train.alpha_lr" in typed and config.model.target_alpha_ratio is None:
        reason = (
            "beside model.target_alpha_ratio=null, which keeps the temperature at"
            " model.init_alpha: leave it out, or give another ratio"
        )
        _refuse(config, "train.alpha_lr", typed, reason)


def _refuse(config: ProgramConfig, key: str, typed: Collection[str], reason: str) -> None:
    if _is_set(config, key, typed):
        raise UserError(f"{key}={attrgetter(key)(config)} makes no difference {reason}")


def _is_set(config: ProgramConfig, key: str, typed: Collection[str]) -> bool:
    if any(other == key or other.startswith(f"{key}.") for other in typed):
        return True
    group, _, name = key.rpartition(".")
    schema = type(attrgetter(group)(config) if group else config)
    return attrgetter(key)(config) != getattr(schema(), name)
