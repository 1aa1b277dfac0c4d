"""Every check of a configuration that needs nothing but the configuration."""

import math
from collections.abc import Collection, Iterator
from dataclasses import Field, fields, is_dataclass
from pathlib import Path
from typing import Any

from catalogue import domains
from harness.configuration.groups import EnvConfig
from harness.configuration.schema import (
    BanditConfig,
    BanditStudyConfig,
    ContConfig,
    ContinuousConfig,
    ProgramConfig,
)
from harness.configuration.settings import interval_of, names_of
from harness.configuration.unused import check_unused, check_unused_by_agent
from harness.errors import UserError
from harness.names import checked_name


def validate(
    config: ProgramConfig,
    learns_from: Collection[str] | None = None,
    *,
    typed: Collection[str] = (),
    never_reads: Collection[str] = (),
) -> None:
    """Raises UserError for the first value out of range or at odds with another one.

    `learns_from` are the keys and groups that the program uses (None: all): a world model is not
    refused for the sizes of an agent that it does not train. The `typed` keys, those that the
    program `never_reads` among them, must have an effect.
    """
    for key, value, a_field in _values(config):
        _check_value(key, value, a_field)
    _check_program(config)
    if isinstance(config, ContinuousConfig) and config.domain in domains.DESCRIBED:
        check_described(config.domain, config.env, "id")
    check_unused(config, typed, never_reads)
    if learns_from is not None:
        return
    check_unused_by_agent(config, typed)
    _check_sizes(config)
    if isinstance(config, BanditConfig):
        _check_bandit(config)
    if isinstance(config, BanditStudyConfig):
        _check_study(config)
    if isinstance(config, ContinuousConfig):
        _check_continuous(config)
    if isinstance(config, ContConfig | BanditConfig):
        _check_memory(config)


def check_described(domain: str, env: EnvConfig, *also: str) -> None:
    """Raises UserError for an `env` that does not describe a task of `domain`: a value that is
    missing (those in `also` among them), out of range, or at odds with another."""
    for key, value, a_field in _values(env, "env."):
        _check_value(key, value, a_field)
    needed = [*also, *("horizon", "ref_min", "ref_max")]
    # the embedded task makes its own data
    if domain == domains.CUSTOM:
        needed.append("dataset_path")
    if missing := [f"env.{name}" for name in needed if getattr(env, name) in (None, "")]:
        raise UserError(
            f"domain {domain} needs {', '.join(missing)}: give it in your copy of"
            " configs/custom/shared.yaml or on the command line"
        )
    assert env.ref_min is not None and env.ref_max is not None
    if env.ref_min >= env.ref_max:
        raise UserError(
            f"env.ref_min={env.ref_min} must be below env.ref_max={env.ref_max}: they are the"
            " returns with the scores 0 and 1"
        )


def check_known(key: str, value: Any, names: Collection[str]) -> None:
    """Raises UserError for a value that is none of `names`."""
    if value not in names:
        raise UserError(f"{key}={value} is not known: give one of {', '.join(names)}")


def _values(group: Any, prefix: str = "") -> Iterator[tuple[str, Any, Field]]:
    for a_field in fields(group):
        value = getattr(group, a_field.name)
        if is_dataclass(value):
            yield from _values(value, f"{prefix}{a_field.name}.")
        else:
            yield prefix + a_field.name, value, a_field


def _check_value(key: str, value: Any, a_field: Field) -> None:
    interval, names = interval_of(a_field), names_of(a_field)
    if interval is not None and value is not None and not interval.contains(value):
        raise UserError(f"{key}={value} is out of range: give a value in {interval.text}")
    if isinstance(value, str) and not value.isprintable():
        raise UserError(f"{key}={value!r} has characters that no name has: leave them out")
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{key}={value} is no finite number: give one")
    # tables are looked up only where a word was changed: they may take a while to load
    if names is not None and value != a_field.default:
        check_known(key, value, names())


def _check_program(config: ProgramConfig) -> None:
    checked_name("dataset_name", config.dataset_name)
    if config.save_agent and config.save_agent_root is None:
        raise UserError(
            "save_agent=true needs a place to save to: give save_agent_root=<folder>, or leave"
            " save_agent out (the run directory keeps the final agent in any case)"
        )
    if (
        config.load_agent_path is not None
        and not Path(config.load_agent_path).expanduser().is_dir()
    ):
        raise UserError(
            f"load_agent_path={config.load_agent_path} does not exist or is no folder: give the"
            " `agent` folder of a finished run"
        )


def _check_sizes(config: Any) -> None:
    ensemble, collect, train = config.ensemble, config.collect, config.train
    if collect.ensemble_size > ensemble.total_size:
        raise UserError(
            f"collect.ensemble_size={collect.ensemble_size} is more than the"
            f" ensemble.total_size={ensemble.total_size} members there are: lower the first or"
            " raise the second"
        )
    if collect.parallel_size % collect.ensemble_size:
        raise UserError(
            f"collect.parallel_size={collect.parallel_size} is not a multiple of"
            f" collect.ensemble_size={collect.ensemble_size}: every member needs the same number"
            " of rollouts"
        )
    if train.batch_size > train.buffer_size:
        raise UserError(
            f"train.batch_size={train.batch_size} is more rows than"
            f" train.buffer_size={train.buffer_size} holds: lower the first or raise the second"
        )
    if config.eval.times > train.grad_steps:
        raise UserError(
            f"eval.times={config.eval.times} is more than train.grad_steps={train.grad_steps}:"
            " at most one evaluation fits between two gradient steps"
        )


def _check_continuous(config: Any) -> None:
    collect, model = config.collect, config.model
    if collect.unc_quantile == 0:
        raise UserError(
            "collect.unc_quantile=0 would cut every rollout at its first step: give a value in"
            " (0, 1], or a negative one for no limit"
        )
    if collect.max_rollout_len == 0:
        raise UserError(
            "collect.max_rollout_len=0 leaves no rollout: give a positive length, or -1 for no"
            " limit but the horizon"
        )
    if model.sampled_critics > model.num_critics:
        raise UserError(
            f"model.sampled_critics={model.sampled_critics} is more than the"
            f" model.num_critics={model.num_critics} there are: lower the first or raise the second"
        )


def _check_bandit(config: BanditConfig) -> None:
    if config.collect.eps_end > config.collect.eps_start:
        raise UserError(
            f"collect.eps_end={config.collect.eps_end} is above"
            f" collect.eps_start={config.collect.eps_start}: exploration can only decrease"
        )


def _check_study(config: BanditStudyConfig) -> None:
    for key, values, lowest in (
        ("seeds", config.study.seeds, 0),
        ("penalties", config.study.penalties, 0.0),
    ):
        if not values or len(set(values)) < len(values) or min(values) < lowest:
            raise UserError(
                f"study.{key}={values} must be different numbers, none below {lowest:g}: write them"
                " as [1,2]"
            )
    if config.seed or config.collect.penalty_coef:
        raise UserError(
            "a study trains an agent for each of study.seeds and study.penalties: give those lists"
            " instead of seed and collect.penalty_coef"
        )
    if config.load_agent_path is not None:
        raise UserError("load_agent_path is for a single agent: use offline_bandit.py instead")


def _check_memory(config: Any) -> None:
    memory = config.model.memory
    if memory.r_min >= memory.r_max:
        raise UserError(
            f"model.memory.r_min={memory.r_min} must be below model.memory.r_max={memory.r_max}:"
            " they bound the eigenvalues at the start"
        )
