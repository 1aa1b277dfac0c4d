"""What the programs need to know about a dataset and its environment."""

import difflib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from jaxtyping import Float

from catalogue import domains
from experience.data.readers import PUBLISHED, split_source
from experience.data.sources.d4rl_files import D4RL_URLS, d4rl_folder
from experience.environment_names import PENDULUM_ID
from experience.own_names import own_example, published_relative
from harness.configuration.groups import EnvConfig
from harness.configuration.validation import check_described, check_known
from harness.errors import UserError
from neorl.datasets import NEORL_DATASETS
from neorl.scores import reference_returns

Returns = TypeVar("Returns", float, Float[np.ndarray, " episode"])


@dataclass(frozen=True)
class Task:
    """A dataset, the rules for cutting it into histories, and the scale of its scores.

    `dataset_path` is set for data that a user made; `termination` only for the domains `custom` and
    `pendulum`; `environment` unless a custom task does not say it; `state_dim` and `action_dim`
    only where they are known before the environment is made.
    """

    domain: str
    dataset_name: str
    # which of `experience.data.readers.READERS` has it
    source: str
    # environment steps after which an episode is cut off (max_episode_steps)
    horizon: int
    # episode returns with score 0 and 1
    ref_min: float
    ref_max: float
    # added to every reward that the agent sees; reported returns take it off again
    reward_shift: float = 0.0
    # eq. 4: what ends an episode, and whether a history runs on after its first success
    stop_at_first_terminal: bool = False
    ends_by_timeout_only: bool = False
    state_dim: int | None = None
    action_dim: int | None = None
    dataset_path: str | None = None
    termination: str | None = None
    # what its environment is registered as: a published dataset's name, or the user's env.id
    environment: str | None = None
    # whether own actions beyond [-1, 1] are cut off, and whether a termination rule may disagree
    # with the terminal rows
    clip_actions: bool = False
    allow_termination_mismatch: bool = False

    def score(self, returns: Returns) -> Returns:
        """The normalised score of a return, a fraction: 0 at `ref_min`, 1 at `ref_max` (eq. 51)."""
        return (returns - self.ref_min) / (self.ref_max - self.ref_min)

    @property
    def is_published(self) -> bool:
        """Whether the dataset is one of the paper's, whose world models are to be had."""
        return self.source in PUBLISHED


# The name's first word: horizon, reference returns (d4rl.infos), state and action dimensions.
_D4RL = {
    "halfcheetah": (1000, -280.178953, 12135.0, 17, 6),
    "hopper": (1000, -20.272305, 3234.3, 11, 3),
    "walker2d": (1000, 1.629008, 4592.3, 17, 6),
    "pen": (100, 96.262799, 3076.8331017826877, 45, 24),
    "door": (200, -56.512833, 2880.5693087298737, 39, 28),
    "hammer": (200, -274.856578, 12794.134825156867, 46, 26),
    "antmaze": (1000, 0.0, 1.0, 29, 8),
}
_D4RL_DOMAINS = {
    domains.D4RL_LOCO: ("halfcheetah", "hopper", "walker2d"),
    domains.ADROIT: ("pen", "door", "hammer"),
    domains.ANTMAZE: ("antmaze",),
}
# One more observation than D4RL's: the x position.
_NEORL_DIMS = {"HalfCheetah-v3": (18, 6), "Hopper-v3": (12, 3), "Walker2d-v3": (18, 6)}

DATASETS: dict[str, tuple[str, ...]] = {
    **{
        domain: tuple(name for name in D4RL_URLS if name.split("-")[0] in first_words)
        for domain, first_words in _D4RL_DOMAINS.items()
    },
    domains.NEORL: tuple(NEORL_DATASETS),
}
# where the embedded task's data is made, relative to the working directory
_PENDULUM_FOLDER = "offline_world/data"


def get_task(domain: str, dataset_name: str, env: EnvConfig | None = None) -> Task:
    """The task of `dataset_name` in `domain`; `env` describes a custom or pendulum one.

    In the domains of the paper `dataset_name` is a published name, or that of a user's own data in
    the same environment (`halfcheetah-own-random-v2`), for which `env.dataset_path` may say where
    it is; in `custom` and `pendulum` it is a free label. Raises UserError for unknown domains and
    names (listing near ones) and for values of `env` that make no sense.
    """
    if domain in domains.DESCRIBED:
        return _own_task(domain, dataset_name, env)
    check_known("domain", domain, domains.ALL)
    path = None if env is None else env.dataset_path
    if dataset_name in DATASETS[domain]:
        if path:
            raise UserError(
                f"env.dataset_path={path} is for data of your own, but dataset_name={dataset_name}"
                f" is a published one; name yours, such as {own_example(dataset_name)}"
            )
        return _published_task(domain, dataset_name)
    relative = published_relative(dataset_name, DATASETS[domain])
    if relative is None:
        raise UserError(_unknown_name(domain, dataset_name))
    path = path or str(own_path(dataset_name))
    return replace(
        _published_task(domain, relative),
        dataset_name=dataset_name,
        source=split_source(path, "hdf5")[0],
        dataset_path=path,
        clip_actions=env is not None and env.clip_actions,
        # ours ends where its environment does; only published AntMaze episodes run on
        ends_by_timeout_only=False,
    )


def own_path(dataset_name: str) -> Path:
    """Where a dataset of the user's own lies unless told otherwise: among D4RL's."""
    return d4rl_folder() / f"{dataset_name}.hdf5"


def domain_of(dataset_name: str) -> str | None:
    """The paper's domain that a published or an own dataset belongs to; None for other names."""
    for domain, names in DATASETS.items():
        if dataset_name in names or published_relative(dataset_name, names):
            return domain
    return None


def _published_task(domain: str, dataset_name: str) -> Task:
    if domain == domains.NEORL:
        return _neorl_task(dataset_name)
    return _d4rl_task(domain, dataset_name)


def _d4rl_task(domain: str, dataset_name: str) -> Task:
    horizon, ref_min, ref_max, state_dim, action_dim = _D4RL[dataset_name.split("-")[0]]
    goal_reaching = domain == domains.ANTMAZE
    if dataset_name.startswith("antmaze-umaze"):
        horizon = 700
    return Task(
        domain=domain,
        dataset_name=dataset_name,
        source="d4rl",
        horizon=horizon,
        ref_min=ref_min,
        ref_max=ref_max,
        reward_shift=-1.0 if goal_reaching else 0.0,
        stop_at_first_terminal=goal_reaching,
        ends_by_timeout_only=goal_reaching,
        state_dim=state_dim,
        action_dim=action_dim,
        environment=dataset_name,
    )


def _neorl_task(dataset_name: str) -> Task:
    ref_min, ref_max = reference_returns(dataset_name)
    state_dim, action_dim = _NEORL_DIMS[NEORL_DATASETS[dataset_name].task]
    return Task(
        domain=domains.NEORL,
        dataset_name=dataset_name,
        source="neorl",
        horizon=1000,
        ref_min=ref_min,
        ref_max=ref_max,
        state_dim=state_dim,
        action_dim=action_dim,
        environment=dataset_name,
    )


def _own_task(domain: str, dataset_name: str, env: EnvConfig | None) -> Task:
    if env is None:
        raise UserError(f"domain={domain} needs an `env` section in the config")
    check_described(domain, env)
    dataset_path = env.dataset_path or f"{_PENDULUM_FOLDER}/{dataset_name}.hdf5"
    horizon, ref_min, ref_max = env.horizon, env.ref_min, env.ref_max
    assert horizon is not None and ref_min is not None and ref_max is not None
    usual = "pendulum" if domain == domains.PENDULUM else "hdf5"
    return Task(
        domain=domain,
        dataset_name=dataset_name,
        source=split_source(dataset_path, usual)[0],
        horizon=horizon,
        ref_min=ref_min,
        ref_max=ref_max,
        dataset_path=dataset_path,
        environment=env.id or (PENDULUM_ID if domain == domains.PENDULUM else None),
        termination=env.termination,
        clip_actions=env.clip_actions,
        allow_termination_mismatch=env.allow_termination_mismatch,
    )


def _unknown_name(domain: str, dataset_name: str) -> str:
    home = domain_of(dataset_name)
    if home is not None:
        return f"dataset_name={dataset_name} is in domain {home}, not {domain}; use its configs"
    near = difflib.get_close_matches(dataset_name, DATASETS[domain], n=4, cutoff=0.4)
    return (
        f"dataset_name={dataset_name!r} is unknown in domain {domain}; "
        f"choose one such as {', '.join(near or DATASETS[domain])}, or name your own data as in "
        f"{own_example(DATASETS[domain][0])}"
    )
