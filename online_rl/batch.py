"""What an agent knows of the batches it learns from, be they tapes or independent transitions.

`experience.tape` has both; this room does not import it.
"""

from typing import Protocol, runtime_checkable

from jaxtyping import Array, Bool, Float, Shaped


@runtime_checkable
class LearnableRows(Protocol):
    """The transitions of a batch, beside their states; `mask` is false where there is none."""

    @property
    def action(self) -> Float[Array, "transition action"]: ...

    @property
    def next_reward(self) -> Float[Array, " transition"]: ...

    @property
    def next_terminated(self) -> Bool[Array, " transition"]: ...

    @property
    def real(self) -> Bool[Array, " transition"]: ...

    @property
    def mask(self) -> Bool[Array, " transition"]: ...


@runtime_checkable
class Batch(Protocol):
    """Rows with a state, of which pairs are transitions."""

    @property
    def state(self) -> Float[Array, "row state"]: ...

    def learnable(self) -> LearnableRows:
        """The transitions."""
        ...

    def current(self, rows: Shaped[Array, "row *value"]) -> Shaped[Array, "transition *value"]:
        """Of one value per row, those that a transition may leave from."""
        ...

    def next(self, rows: Shaped[Array, "row *value"]) -> Shaped[Array, "transition *value"]:
        """Of one value per row, those that a transition may lead to."""
        ...


@runtime_checkable
class Consecutive(Protocol):
    """Rows that follow each other, as a memory needs them; `start` begins an episode."""

    @property
    def start(self) -> Bool[Array, " row"]: ...

    def observation(self, first_action: Float[Array, " action"]) -> Float[Array, "row obs"]:
        """Of every row [state, previous action, previous reward] (eq. 24)."""
        ...
