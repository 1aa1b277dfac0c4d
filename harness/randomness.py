"""Keys derived from the seed, a purpose and a step, so that a resumed run draws the same ones."""

from enum import IntEnum
from typing import NamedTuple

import jax
from jaxtyping import Array, Int, PRNGKeyArray


class Purpose(IntEnum):
    """What randomness is for; the numbers must never change."""

    INIT = 0
    COLLECT = 1
    SAMPLE = 2
    UPDATE = 3
    EVALUATE = 4
    INSPECT = 5


def key_for(seed: int, purpose: Purpose) -> PRNGKeyArray:
    """The root key of a purpose."""
    return jax.random.fold_in(jax.random.key(seed), int(purpose))


def key_at(seed: int, purpose: Purpose, step: int | Int[Array, ""]) -> PRNGKeyArray:
    """The key of a purpose at a step (eq. 50)."""
    return jax.random.fold_in(key_for(seed, purpose), step)


class EnsembleKeys(NamedTuple):
    """What an ensemble's training draws: its first weights, and from `order` each epoch's rows."""

    weights: PRNGKeyArray
    order: PRNGKeyArray


def ensemble_keys(seed: int) -> EnsembleKeys:
    """Those of a seed. An agent's of the same seed are folded in, not split, and so are others."""
    return EnsembleKeys(*jax.random.split(jax.random.key(seed)))
