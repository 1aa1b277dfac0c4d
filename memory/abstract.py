"""What an encoder needs of a memory, whatever it is made of."""

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray, PyTree

from memory.recurrence import Strategy


@dataclass(frozen=True)
class MemorySettings:
    """The sizes of a memory, and what only some kinds use (`AbstractMemory.unused`)."""

    #: width of the rows that go in and come out
    d_model: int
    #: numbers (complex ones, for a linear memory) that a layer remembers
    d_hidden: int
    n_layers: int
    #: bounds of the eigenvalues at the start
    r_min: float
    r_max: float
    #: how a linear recurrence is executed
    strategy: Strategy = "auto"


class AbstractMemory(eqx.Module):
    """Turns the rows of a tape into features of everything since the last `start`.

    A state is what one episode has left behind; its form is the memory's own affair. Where `start`
    is set the past, the given state included, is forgotten before the row is taken in.
    """

    #: fields of `MemorySettings` that make no difference to this kind
    unused: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def __init__(self, settings: MemorySettings, *, key: PRNGKeyArray):
        """A memory with random weights."""

    @abstractmethod
    def initial_state(self) -> PyTree:
        """What an episode begins with."""

    @abstractmethod
    def sequence(
        self, x: Float[Array, "time model"], start: Bool[Array, " time"], state: PyTree
    ) -> tuple[Float[Array, "time model"], PyTree]:
        """Features of consecutive rows, and the state after the last one."""

    def step(
        self, x: Float[Array, " model"], start: Bool[Array, ""], state: PyTree
    ) -> tuple[Float[Array, " model"], PyTree]:
        """Features of one more row, and the state after it."""
        features, state = self.sequence(x[None], start[None], state)
        return features[0], state

    def absorb(
        self, x: Float[Array, "time model"], start: Bool[Array, " time"], state: PyTree
    ) -> PyTree:
        """The state after rows whose features nobody asks for."""
        # the compiler drops the top layer's output, which nothing uses
        return self.sequence(x, start, state)[1]


def through_blocks(
    blocks: Iterable[Any],
    x: Float[Array, "time model"],
    start: Bool[Array, " time"],
    state: Float[Array, "layer *hidden"],
) -> tuple[Float[Array, "time model"], Float[Array, "layer *hidden"]]:
    """`AbstractMemory.sequence` of layers one after the other: of each `block(x, start, h0)`, which
    gives the rows for the next and its own last state."""
    last_states = []
    for block, h0 in zip(blocks, state, strict=True):
        x, last = block(x, start, h0)
        last_states.append(last)
    return x, jnp.stack(last_states)
