"""`+seeds=[0,1,2]`: one configuration for each seed, as `seed=<k>` would compose it."""

import copy
from collections.abc import Sequence
from typing import Any

from omegaconf import DictConfig, ListConfig, open_dict

from harness.configuration.typed import overridden_keys
from harness.errors import UserError

#: It is no key of any schema: a run of several seeds is recorded as one of each.
KEY = "seeds"


def by_seed(composed: DictConfig, overrides: Sequence[str]) -> list[DictConfig]:
    """What was composed, for each of its seeds; itself where there is no list of them.

    Raises UserError for a list that is none of different seeds, and beside what names one run.
    """
    if KEY not in composed:
        return [composed]
    seeds: Any = composed[KEY]
    if isinstance(seeds, ListConfig):
        seeds = list(seeds)
    if not _are_seeds(seeds):
        raise UserError(f"+seeds={seeds} is no list of different seeds: write it as +seeds=[0,1,2]")
    for key, remedy in (("seed", "leave one out"), ("run_dir", "give run_root=<folder> instead")):
        if key in overridden_keys(overrides):
            raise UserError(f"{key}= is of a single run, +seeds={seeds} of several: {remedy}")
    return [_with_seed(composed, seed) for seed in seeds]


def _are_seeds(seeds: Any) -> bool:
    return (
        isinstance(seeds, list)
        and len(seeds) > 0
        and all(type(seed) is int for seed in seeds)
        and len(set(seeds)) == len(seeds)
    )


def _with_seed(composed: DictConfig, seed: int) -> DictConfig:
    one = copy.deepcopy(composed)
    with open_dict(one):
        del one[KEY]
    one.seed = seed
    return one
