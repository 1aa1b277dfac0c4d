"""The agent in the real environment (eq. 51): two ways to count the same episodes."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike

from experience.observation import observation
from experience.real.finite import require_finite
from experience.real.vector import AbstractVectorEnv
from harness.errors import UserError

Memory = Any
#: a return → its normalised score
Score = Callable[[float], float]


@runtime_checkable
class Act(Protocol):
    def __call__(
        self,
        observation: Float[np.ndarray, "copy obs"],
        start: Bool[np.ndarray, " copy"],
        memory: Memory,
    ) -> tuple[ArrayLike, Memory]:
        """An action for every copy, and the memory after it."""
        ...


@dataclass(frozen=True)
class Episode:
    """An episode that ended within the horizon: the `index`-th of its copy, from 0.

    `seed` is what the copy was reset with before its first one. `timeout`: no terminal state but a
    time limit, or the horizon, ended it. `return_` is the environment's own.
    """

    copy: int
    index: int
    seed: int
    return_: float
    length: int
    timeout: bool


@dataclass(frozen=True)
class EpisodeStatistics:
    """Means and population standard deviations over `episodes` episodes.

    Returns are the environment's own, without the shift that the agent sees; lengths are in steps;
    `score` is the mean return's.
    """

    return_mean: float
    return_std: float
    length_mean: float
    length_std: float
    score: float
    episodes: int


@dataclass(frozen=True)
class Evaluation:
    """One evaluation under both protocols (eq. 51).

    `reference` counts every episode that ended within the horizon, so that short ones weigh more
    (the protocol of the published scores); `first` the first episode of each copy. `episodes` are
    all of the reference, copy by copy. `trajectories` holds the states of the first episodes,
    `goals` where each of them wanted to get: both None unless they were asked for, `goals` also
    for tasks without a goal.
    """

    reference: EpisodeStatistics
    first: EpisodeStatistics
    episodes: tuple[Episode, ...]
    trajectories: tuple[Float[np.ndarray, "_ state"], ...] | None = None
    goals: Float[np.ndarray, "copy xy"] | None = None


def evaluate(
    act: Act,
    initial_memory: Memory,
    envs: AbstractVectorEnv,
    *,
    horizon: int,
    first_action: Float[np.ndarray, " action"],
    reward_shift: float,
    score: Score,
    seed: int = 0,
    keep_trajectories: bool = False,
) -> Evaluation:
    """Let the agent act for `horizon` steps in every copy of the environment.

    **Arguments:**

    - `act`: deterministic, and called by keyword. An observation is
      [state, previous action, previous reward]; `start` marks a copy's first step of an episode,
      where they are `first_action` and 0 and where the agent forgets.
    - `initial_memory`: the agent's memory for `envs.copies` episodes.
    - `horizon`: steps after which an episode counts as ended even if the environment goes on.
    - `reward_shift`: added to each reward that the agent sees; reported returns are without it.
    - `score`: a mean return → the normalised score that it is.
    - `seed`: decides all that is random here; the same seed gives the same numbers.

    **Raises:** `UserError` for an action, a state or a reward that is not finite, naming whose.
    """
    seeds = copy_seeds(seed, envs.copies)
    counter = _EpisodeCounter(seeds, horizon)
    state = envs.reset(seeds)
    require_finite(envs.name, 0, state, np.zeros(envs.copies))
    goals = envs.goals() if keep_trajectories else None
    path = [state]
    memory = initial_memory
    start = np.ones(envs.copies, bool)
    action = np.zeros((envs.copies, envs.action_dim), np.float32)
    reward = np.zeros(envs.copies)
    for step in range(horizon):
        observed = observation(
            state, action, reward + reward_shift, start=start, first_action=first_action
        )
        action, memory = act(observation=observed, start=start, memory=memory)
        action = np.asarray(action, np.float32)
        if not np.isfinite(action).all():
            raise UserError(
                "the agent's action is not finite: its training has diverged; go back to an earlier"
                " checkpoint or start again with lower learning rates"
            )
        state, reached, reward, start, timeout = envs.step(action)
        require_finite(envs.name, step + 1, reached, reward)
        if start.any():
            require_finite(envs.name, 0, state, np.zeros(envs.copies))
        counter.add(reward, start, timeout)
        if keep_trajectories:
            path.append(reached)
    episodes = counter.episodes()
    first = first_episodes(episodes)
    return Evaluation(
        reference=_statistics(episodes, score),
        first=_statistics(first, score),
        episodes=episodes,
        trajectories=_first_trajectories(path, first) if keep_trajectories else None,
        goals=goals,
    )


def first_episodes(episodes: Iterable[Episode]) -> list[Episode]:
    """One of each copy: a first episode ends at the horizon at the latest."""
    return [episode for episode in episodes if episode.index == 0]


class _EpisodeCounter:
    """Returns and lengths of the episodes that run side by side in the copies."""

    def __init__(self, seeds: Sequence[int], horizon: int):
        self._seeds, self._horizon = seeds, horizon
        self._returns = np.zeros(len(seeds))
        self._lengths = np.zeros(len(seeds), int)
        self._ended: list[list[Episode]] = [[] for _ in seeds]

    def add(
        self,
        reward: Float[np.ndarray, " copy"],
        done: Bool[np.ndarray, " copy"],
        timeout: Bool[np.ndarray, " copy"],
    ) -> None:
        self._returns += reward
        self._lengths += 1
        ended = done | (self._lengths == self._horizon)
        for copy in np.flatnonzero(ended).tolist():
            episode = Episode(
                copy=copy,
                index=len(self._ended[copy]),
                seed=self._seeds[copy],
                return_=float(self._returns[copy]),
                length=int(self._lengths[copy]),
                timeout=bool(timeout[copy] or not done[copy]),
            )
            self._ended[copy].append(episode)
        self._returns[ended] = 0.0
        self._lengths[ended] = 0

    def episodes(self) -> tuple[Episode, ...]:
        return tuple(episode for copy in self._ended for episode in copy)


def _statistics(episodes: Sequence[Episode], score: Score) -> EpisodeStatistics:
    returns = np.array([episode.return_ for episode in episodes])
    lengths = np.array([episode.length for episode in episodes], float)
    return EpisodeStatistics(
        return_mean=float(returns.mean()),
        return_std=float(returns.std()),
        length_mean=float(lengths.mean()),
        length_std=float(lengths.std()),
        score=float(score(returns.mean())),
        episodes=len(episodes),
    )


def _first_trajectories(
    path: list[Float[np.ndarray, "copy state"]], first: Sequence[Episode]
) -> tuple[Float[np.ndarray, "_ state"], ...]:
    states = np.stack(path, axis=1)
    return tuple(states[episode.copy, : episode.length + 1] for episode in first)


def copy_seeds(seed: int, copies: int) -> list[int]:
    """Independent seeds, one per copy: numpy's seed sequence keeps neighbouring `seed`s apart."""
    return np.random.SeedSequence(seed).generate_state(copies).tolist()
