"""Keys derived from the seed, a purpose and a step, so that a resumed run draws the same ones."""

from enum import IntEnum

import jax
from jaxtyping import Array, Int, PRNGKeyArray


class Purpose(IntEnum):
    """What randomness is for; the numbers must never change."""

    INIT = 0
    COLLECT = 1
    SAMPLE = 2
    UPDATE = 3
    EVALUATE = 4


def key_for(seed: int, purpose: Purpose) -> PRNGKeyArray:
    """The root key of a purpose."""
    return jax.random.fold_in(jax.random.key(seed), int(purpose))


def key_at(seed: int, purpose: Purpose, step: int | Int[Array, ""]) -> PRNGKeyArray:
    """The key of a purpose at a step."""
    return jax.random.fold_in(key_for(seed, purpose), step)
