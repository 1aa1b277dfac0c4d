"""Episodes of a policy in a real environment, recorded row by row."""

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float

from experience.data.rows import Dataset
from experience.wrapper import RealEnv
from harness.errors import UserError


class AbstractBehaviour(ABC):
    """A policy that acts in several environments side by side, one episode in each."""

    @abstractmethod
    def begin(self, seed: int, copies: int) -> None:
        """Forget everything; `seed` decides all that is random in these episodes."""

    @abstractmethod
    def act(
        self, states: Float[np.ndarray, "copy state"], rewards: Float[np.ndarray, " copy"]
    ) -> Float[np.ndarray, "copy action"]:
        """Actions in [-1, 1] for the present states; `rewards` are the last step's, 0 at first."""


class UniformBehaviour(AbstractBehaviour):
    """Every action is drawn uniformly."""

    def __init__(self, action_dim: int):
        self._action_dim = action_dim

    def begin(self, seed: int, copies: int) -> None:
        self._rng = np.random.default_rng(seed)

    def act(
        self, states: Float[np.ndarray, "copy state"], rewards: Float[np.ndarray, " copy"]
    ) -> Float[np.ndarray, "copy action"]:
        return self._rng.uniform(-1, 1, (len(states), self._action_dim)).astype(np.float32)


def record_blocks(
    envs: list[RealEnv], behaviour: AbstractBehaviour, *, horizon: int, seed: int, first: int = 0
) -> Iterator[list[Dataset]]:
    """Endless blocks of complete episodes, one of each environment at a time.

    Block k depends on `seed` and k alone, so that a collection goes on from any block `first`.
    An episode ends where its environment says so, or after `horizon` steps as a timeout; then the
    rows hold the environment's own rewards.

    **Raises:** `UserError` for an action, state or reward that is not finite.
    """
    block = first
    while True:
        seeds = np.random.SeedSequence([seed, block]).generate_state(len(envs) + 1)
        yield _record_block(envs, behaviour, horizon, [int(number) for number in seeds])
        block += 1


def _record_block(
    envs: list[RealEnv], behaviour: AbstractBehaviour, horizon: int, seeds: list[int]
) -> list[Dataset]:
    copies = len(envs)
    states = np.stack([env.reset(seed=s) for env, s in zip(envs, seeds[1:], strict=True)])
    states = states.astype(np.float32)
    behaviour.begin(seeds[0], copies)
    rewards = np.zeros(copies, np.float32)
    running = np.ones(copies, bool)
    steps: list[dict[str, np.ndarray]] = []
    while running.any():
        actions = np.asarray(behaviour.act(states, rewards), np.float32)
        _check_finite(running, actions)
        reached, rewards = states.copy(), np.zeros(copies, np.float32)
        terminal, timeout = np.zeros(copies, bool), np.zeros(copies, bool)
        for copy in np.flatnonzero(running):
            reached[copy], rewards[copy], done, info = envs[copy].step(actions[copy])
            timeout[copy] = info.get("TimeLimit.truncated", False) or len(steps) + 1 == horizon
            terminal[copy] = done and not info.get("TimeLimit.truncated", False)
            timeout[copy] &= ~terminal[copy]
        _check_finite(running, reached, rewards)
        steps.append(
            {
                "observations": states,
                "actions": actions,
                "rewards": rewards,
                "terminals": terminal,
                "timeouts": timeout,
                "next_observations": reached,
            }
        )
        running &= ~(terminal | timeout)
        states = reached
    columns = {key: np.stack([step[key] for step in steps], axis=1) for key in steps[0]}
    lengths = 1 + (columns["terminals"] | columns["timeouts"]).argmax(axis=1)
    return [
        Dataset(**{key: column[copy, : lengths[copy]] for key, column in columns.items()})
        for copy in range(copies)
    ]


def _check_finite(running: Bool[np.ndarray, " copy"], *arrays: np.ndarray) -> None:
    if not all(np.isfinite(array[running]).all() for array in arrays):
        raise UserError(
            "an action, state or reward is not finite: the policy has diverged or the simulation"
            " has; give the run of another agent or less noise"
        )
