"""Trees of one form side by side, as `vmap` takes them."""

from collections.abc import Sequence
from typing import TypeVar

import jax
import jax.numpy as jnp

Tree = TypeVar("Tree")


def stacked(trees: Sequence[Tree]) -> Tree:
    """One tree, whose arrays have a new first axis with a place for each."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def taken_apart(tree: Tree, count: int) -> list[Tree]:
    """The `count` trees that `stacked` made one of."""
    return [jax.tree.map(lambda leaf, i=i: leaf[i], tree) for i in range(count)]
