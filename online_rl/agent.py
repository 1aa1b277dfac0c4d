"""What the collector, the evaluator and the training loop know of an agent."""

from abc import abstractmethod
from typing import Generic, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, PyTree

from online_rl.batch import Batch
from online_rl.networks import Network
from online_rl.optimiser import SplitState

#: the means of an update, by the names they are logged under
Figures = dict[str, Float[Array, ""]]


class AbstractLearner(eqx.Module):
    """All that an agent has learned and its optimisers remember; a subclass adds its networks."""

    updates: eqx.AbstractVar[Int[Array, ""]]


Learner = TypeVar("Learner", bound=AbstractLearner)


class AbstractAgent(eqx.Module, Generic[Learner]):
    """An algorithm: functions of its settings, which are static, and a learner, which is data."""

    #: stands for the previous action at an episode's start
    first_action: eqx.AbstractVar[tuple[float, ...]]
    #: its learning rates by name, each a function of the updates done
    rates: eqx.AbstractVar[tuple[tuple[str, optax.Schedule], ...]]

    @abstractmethod
    def init(self, key: PRNGKeyArray) -> Learner:
        """A fresh learner."""

    @abstractmethod
    def networks(self, learner: Learner) -> PyTree:
        """What is worth keeping of a learner when its training is over."""

    @abstractmethod
    def with_networks(self, learner: Learner, networks: PyTree) -> Learner:
        """A learner that goes on from `networks`, with its own optimisers and counters."""

    @abstractmethod
    def trained(self, learner: Learner) -> dict[str, tuple[Network, SplitState]]:
        """The networks that gradients change, with what their optimisers remember, by name."""

    def schedules(self, learner: Learner) -> dict[str, Float[Array, ""]]:
        """What changes with the updates by plan, by name."""
        return {name: jnp.asarray(rate(learner.updates)) for name, rate in self.rates}

    @abstractmethod
    def acting(self, learner: Learner) -> Network:
        """The network that chooses actions, whose encoder carries the memory."""

    def initial_memory(self, learner: Learner, batch: int) -> PyTree:
        """Memories of `batch` episodes at their starts."""
        memory = self.acting(learner).encoder.initial_memory()
        return jax.tree.map(lambda m: jnp.broadcast_to(m, (batch, *m.shape)), memory)

    def absorb(
        self,
        learner: Learner,
        observations: Float[Array, "batch time obs"],
        start: Bool[Array, "batch time"],
        memory: PyTree,
    ) -> PyTree:
        """The memories after further rows, without acting."""
        return jax.vmap(self.acting(learner).encoder.absorb)(observations, start, memory)

    @abstractmethod
    def act(
        self,
        learner: Learner,
        observation: Float[Array, "batch obs"],
        start: Bool[Array, " batch"],
        memory: PyTree,
        key: PRNGKeyArray,
        *,
        deterministic: bool,
    ) -> tuple[Float[Array, "batch action"], PyTree]:
        """Actions and the memories after these observations."""

    @abstractmethod
    def update(self, learner: Learner, batch: Batch, key: PRNGKeyArray) -> tuple[Learner, Figures]:
        """One gradient step on a batch, and figures."""
