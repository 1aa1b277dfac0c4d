"""What an agent makes of its observations: a memory of the whole episode, or nothing at all.

An encoder turns the rows of a batch into features, and carries a memory when acting.
"""

from abc import abstractmethod
from typing import Protocol, runtime_checkable

import equinox as eqx
import jax
from jaxtyping import Array, Bool, Float, PRNGKeyArray, PyTree

from layers import Block
from memory import AbstractMemory, MemorySettings
from online_rl.batch import Batch, Consecutive


class AbstractEncoder(eqx.Module):
    """`size` features per row."""

    size: eqx.AbstractVar[int]

    @abstractmethod
    def __call__(
        self, batch: Batch, first_action: Float[Array, " action"]
    ) -> Float[Array, "row {size}"]:
        """Features of all rows of a batch."""

    @abstractmethod
    def initial_memory(self) -> PyTree:
        """One episode's memory at its start."""

    @abstractmethod
    def step(
        self, observation: Float[Array, " obs"], start: Bool[Array, ""], memory: PyTree
    ) -> tuple[Float[Array, " {size}"], PyTree]:
        """Features of one more row, and the memory after it; `start` forgets what was before."""

    @abstractmethod
    def absorb(
        self,
        observations: Float[Array, "time obs"],
        start: Bool[Array, " time"],
        memory: PyTree,
    ) -> PyTree:
        """The memory after rows whose features nobody asks for."""


@runtime_checkable
class MakeEncoder(Protocol):
    def __call__(self, key: PRNGKeyArray) -> AbstractEncoder: ...


class RecurrentEncoder(AbstractEncoder):
    """Block, then the memory, over augmented observations [s, previous a, r] (eq. 34)."""

    pre: Block
    memory: AbstractMemory
    size: int = eqx.field(static=True)

    def __init__(
        self,
        in_size: int,
        kind: type[AbstractMemory],
        settings: MemorySettings,
        *,
        key: PRNGKeyArray,
    ):
        """`kind` is one of `catalogue.memories.MEMORIES`, of `settings`' sizes."""
        pre_key, memory_key = jax.random.split(key)
        self.pre = Block(in_size, settings.d_model, key=pre_key)
        self.memory = kind(settings, key=memory_key)
        self.size = settings.d_model

    def __call__(self, batch, first_action):
        assert isinstance(batch, Consecutive), "a memory learns from consecutive rows"
        x = jax.vmap(self.pre)(batch.observation(first_action))
        return self.memory.sequence(x, batch.start, self.memory.initial_state())[0]

    def initial_memory(self):
        return self.memory.initial_state()

    def step(self, observation, start, memory):
        return self.memory.step(self.pre(observation), start, memory)

    def absorb(self, observations, start, memory):
        return self.memory.absorb(jax.vmap(self.pre)(observations), start, memory)


class StateEncoder(AbstractEncoder):
    """The Markov agent's: the state itself, without parameters or memory."""

    size: int = eqx.field(static=True)

    def __call__(self, batch, first_action):
        return batch.state

    def initial_memory(self):
        return ()

    def step(self, observation, start, memory):
        return observation[: self.size], memory

    def absorb(self, observations, start, memory):
        return memory
