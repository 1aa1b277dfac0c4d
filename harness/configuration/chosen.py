"""What the chosen files say of domain and dataset, against what the command line says of them."""

from collections.abc import Sequence
from typing import Any

from hydra import compose
from omegaconf import DictConfig, OmegaConf

from catalogue import domains
from harness.checkout import CONFIG_ROOT
from harness.configuration.typed import parsed_overrides
from harness.errors import UserError


def check_chosen(composed: DictConfig, config_name: str, overrides: Sequence[str]) -> None:
    """Refuses another domain's sizes, and another robot's tuned values, with the right command.

    To be called where Hydra `composed` the configuration: that is done again without the two keys
    if one of them was typed. Raises UserError.
    """
    parsed = parsed_overrides(overrides)
    typed = {each.key_or_group: each.value() for each in parsed if not each.is_delete()}
    task = typed.get("task")
    if "domain" not in typed and ("dataset_name" not in typed or task is None):
        return
    lines = zip(parsed, overrides, strict=True)
    others = [line for each, line in lines if each.key_or_group not in ("domain", "dataset_name")]
    files = compose(config_name, overrides=others)
    _check_domain(_said(composed, "domain"), _said(files, "domain"))
    if task is not None:
        _check_robot(_said(composed, "dataset_name"), _said(files, "dataset_name"), task)


def _said(config: DictConfig, key: str) -> str | None:
    """The value of `key`, None where there is none yet."""
    return OmegaConf.select(config, key, throw_on_missing=False)


def _check_domain(domain: str | None, said: str | None) -> None:
    if said in (None, domain):
        return
    remedy = "leave it out"
    if domain in domains.ALL:
        remedy = f"give --config-path={CONFIG_ROOT / domain} instead"
    elif said in domains.ALL:
        # a word that no domain has is told with those there are
        return
    raise UserError(
        f"domain={domain} contradicts the chosen configuration, whose values are those of domain"
        f" {said}: {remedy}"
    )


def _check_robot(dataset_name: str | None, tuned: str | None, task: Any) -> None:
    if dataset_name is None or tuned is None or _robot(dataset_name) == _robot(tuned):
        return
    raise UserError(
        f"dataset_name={dataset_name} contradicts task={task}, whose values were tuned for {tuned}:"
        f" choose a task of {_robot(dataset_name)}, or leave task= out"
    )


def _robot(dataset_name: str) -> str:
    """The word with which the names of all datasets of one environment begin."""
    return dataset_name.partition("-")[0]
