"""The leaves of a tree as a checkpoint sees them: names, stored forms, and back."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree


def named_leaves(tree: PyTree) -> list[tuple[str, Any]]:
    """All leaves in order, each with its path ("replay/state")."""
    paths, _ = jax.tree_util.tree_flatten_with_path(tree)
    return [(jax.tree_util.keystr(path, simple=True, separator="/"), leaf) for path, leaf in paths]


def is_data(leaf: Any) -> bool:
    """Whether a leaf is stored: arrays and numbers are, functions and empty arrays are not."""
    array = (jax.Array, jax.ShapeDtypeStruct, np.ndarray, np.generic)
    return isinstance(leaf, (*array, bool, int, float)) and math.prod(np.shape(leaf)) > 0


def on_host(leaf: Any) -> np.ndarray:
    """A copy that nobody else changes: a donated array's memory is soon another's."""
    return np.array(jax.random.key_data(leaf) if _is_key(leaf) else leaf)


def form(leaf: Any) -> tuple[str, list[int]]:
    """Dtype and shape of what is stored for a leaf, as JSON has them."""
    if _is_key(leaf):
        leaf = jax.eval_shape(jax.random.key_data, leaf)
    elif not hasattr(leaf, "dtype"):
        leaf = np.asarray(leaf)
    return str(np.dtype(leaf.dtype)), list(leaf.shape)


def as_leaf(value: np.ndarray, like: Any) -> Any:
    """A stored value as the kind of leaf that `like` is, on its device."""
    if isinstance(like, bool | int | float):
        return type(like)(value.item())
    if isinstance(like, np.ndarray | np.generic):
        return value
    place = getattr(like, "sharding", None)
    if _is_key(like):
        keys = jax.random.wrap_key_data(jnp.asarray(value), impl=jax.random.key_impl(like))
        return jax.device_put(keys, place)
    return jax.block_until_ready(jax.device_put(value, place))


def freed(tree: PyTree) -> PyTree:
    """`tree` as `as_leaf` needs to know it, its arrays' memory given back."""
    return jax.tree.map(_freed, tree)


def _freed(leaf: Any) -> Any:
    if not isinstance(leaf, jax.Array):
        return leaf
    form = jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding)
    leaf.delete()
    return form


def _is_key(leaf: Any) -> bool:
    return hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
