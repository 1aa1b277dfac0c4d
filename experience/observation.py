"""What an agent observes: the state, and what it did and got before."""

from typing import TypeVar

from jaxtyping import Array, Bool, Float
from numpy import ndarray

#: NumPy in, NumPy out; JAX likewise
AnyArray = TypeVar("AnyArray", Array, ndarray)


def observation_size(state_size: int, action_size: int) -> int:
    """Numbers in an observation."""
    return state_size + action_size + 1


def observation(
    state: Float[AnyArray, "row state"],
    previous_action: Float[AnyArray, "row action"],
    previous_reward: Float[AnyArray, " row"],
    *,
    start: Bool[AnyArray, " row"],
    first_action: Float[AnyArray, " action"],
) -> Float[AnyArray, "row obs"]:
    """[s_t, a_{t−1}, r_t] (eq. 1) in float32, of NumPy arrays or of JAX ones.

    Where `start` is set nothing was before: `first_action` and a reward of 0 stand there.
    """
    xp = state.__array_namespace__()
    action = xp.where(start[:, None], first_action[None], previous_action)
    reward = xp.where(start, 0.0, previous_reward)[:, None]
    return xp.concat([part.astype(xp.float32) for part in (state, action, reward)], axis=1)
