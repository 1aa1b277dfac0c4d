"""The hidden block of every network in the paper (eq. 6)."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from layers.linear import Linear
from layers.norm import LayerNorm

SLOPE = 0.01


class Block(eqx.Module):
    """Linear → LayerNorm → leaky ReLU (slope 0.01) for one example; the norm can be left out.

    Batch axes may follow the features.
    """

    linear: Linear
    norm: LayerNorm | None

    def __init__(self, in_size: int, out_size: int, *, has_ln: bool = True, key: PRNGKeyArray):
        self.linear = Linear(in_size, out_size, key=key)
        self.norm = LayerNorm(out_size, slope=SLOPE) if has_ln else None

    def __call__(self, x: Float[Array, "in *batch"]) -> Float[Array, "out *batch"]:
        return self.activation(self.linear(x))

    def activation(self, x: Float[Array, "out *batch"]) -> Float[Array, "out *batch"]:
        """What follows the linear layer."""
        return jnp.maximum(x, SLOPE * x) if self.norm is None else self.norm(x)
