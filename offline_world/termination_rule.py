"""What a termination rule is."""

from typing import Protocol, runtime_checkable

from jaxtyping import Array, Bool, Float

State = Float[Array, " state"]
Action = Float[Array, " action"]


@runtime_checkable
class TerminationFn(Protocol):
    """Whether the episode ends with this transition: one boolean, in jnp."""

    def __call__(self, state: State, action: Action, next_state: State) -> Bool[Array, ""]: ...
