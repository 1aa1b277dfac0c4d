"""What copies of a real environment that step together are to their user."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float


class VectorStep(NamedTuple):
    """What one step of every copy led to.

    `reached` is the state that the action led to; `observation` is the one to act on next, which
    differs only where `done` is set: there it is the first state of the next episode. `timeout`
    marks the ends of episodes that a time limit brought about. Rewards are the environment's own.
    """

    observation: Float[np.ndarray, "copy state"]
    reached: Float[np.ndarray, "copy state"]
    reward: Float[np.ndarray, " copy"]
    done: Bool[np.ndarray, " copy"]
    timeout: Bool[np.ndarray, " copy"]


class AbstractVectorEnv(ABC):
    """`copies` environments with a state of `state_dim` and an action of `action_dim` numbers.

    `name` is what to call them when they are at fault.
    """

    name: str = "the environment"
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
