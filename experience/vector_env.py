"""Copies of a real environment that step together, in this process or spread over the cores."""

import os
from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from experience.wrapper import make_env


class VectorStep(NamedTuple):
    """What one step of every copy led to.

    `reached` is the state that the action led to; `observation` is the one to act on next, which
    differs only where `done` is set: there it is the first state of the next episode. Rewards are
    the environment's own.
    """

    observation: Float[np.ndarray, "copy state"]
    reached: Float[np.ndarray, "copy state"]
    reward: Float[np.ndarray, " copy"]
    done: Bool[np.ndarray, " copy"]


class AbstractVectorEnv(ABC):
    """`copies` environments with a state of `state_dim` and an action of `action_dim` numbers."""

    copies: int
    state_dim: int
    action_dim: int

    @abstractmethod
    def reset(self, seeds: list[int]) -> Float[np.ndarray, "copy state"]:
        """Start an episode in every copy; its seed decides all that is random from here on."""

    @abstractmethod
    def goals(self) -> Float[np.ndarray, "copy xy"] | None:
        """Where each copy's present episode wants to get, in m; None for tasks without a goal."""

    @abstractmethod
    def step(self, action: Float[np.ndarray, "copy action"]) -> VectorStep:
        """Act in every copy; a copy whose episode ends is reset at once."""

    @abstractmethod
    def close(self) -> None:
        """Give back the processes and simulations; the object is of no use afterwards."""


class LocalVectorEnv(AbstractVectorEnv):
    """Copies that take their turns in this process."""

    def __init__(
        self,
        domain: str,
        dataset_name: str,
        copies: int,
        env_config: Any = None,
        engine: str = "mujoco",
    ):
        self.copies = copies
        self._envs = [make_env(domain, dataset_name, env_config, engine) for _ in range(copies)]
        self.state_dim = self._envs[0].observation_space.shape[0]
        self.action_dim = self._envs[0].action_space.shape[0]

    def reset(self, seeds: list[int]) -> Float[np.ndarray, "copy state"]:
        states = [env.reset(seed=seed) for env, seed in zip(self._envs, seeds, strict=True)]
        return np.asarray(states, np.float32)

    def goals(self) -> Float[np.ndarray, "copy xy"] | None:
        goals = [getattr(env.unwrapped, "target_goal", None) for env in self._envs]
        return None if goals[0] is None else np.asarray(goals, np.float32)

    def step(self, action: Float[np.ndarray, "copy action"]) -> VectorStep:
        reached = np.empty((self.copies, self.state_dim), np.float32)
        reward = np.empty(self.copies)
        done = np.empty(self.copies, bool)
        first_states = {}
        for copy, env in enumerate(self._envs):
            reached[copy], reward[copy], done[copy], _ = env.step(action[copy])
            if done[copy]:
                first_states[copy] = env.reset()
        observation = reached.copy()
        for copy, state in first_states.items():
            observation[copy] = state
        return VectorStep(observation, reached, reward, done)

    def close(self) -> None:
        for env in self._envs:
            env.close()


def usable_cores() -> int:
    """The cores that this process may run on (a cluster job often has fewer than the machine)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def make_vector_env(
    domain: str,
    dataset_name: str,
    copies: int,
    env_config: Any = None,
    engine: str = "mujoco",
    workers: int | None = None,
) -> AbstractVectorEnv:
    """`copies` environments of a dataset, stepped by `workers` processes (by default one a core).

    The numbers do not depend on `workers`; with one, everything happens in this process. Arguments
    and errors are otherwise those of `make_env`.
    """
    if workers is None:
        # A step of the pendulum costs less than a message to another process.
        workers = 1 if domain == "pendulum" else usable_cores()
    workers = min(workers, copies)
    if workers <= 1:
        return LocalVectorEnv(domain, dataset_name, copies, env_config, engine)
    from experience.worker_pool import WorkerVectorEnv

    return WorkerVectorEnv(domain, dataset_name, copies, env_config, engine, workers)
