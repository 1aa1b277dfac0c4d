"""Affine maps."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray


class Linear(eqx.Module):
    """y = Wᵀx + b for one example; batch axes may follow the features.

    The weight is stored (in, out): with features leading the batch that is the form in which XLA's
    CPU matrix products run fastest, and published files hold its transpose.
    """

    weight: Float[Array, "in out"]
    bias: Float[Array, " out"]

    def __init__(
        self,
        in_size: int,
        out_size: int,
        *,
        weight_bound: float | None = None,
        zero_bias: bool = False,
        key: PRNGKeyArray,
    ):
        """Weights uniform in ±`weight_bound` (default 1/√in); the bias in ±1/√in, or zero."""
        weight_key, bias_key = jax.random.split(key)
        bound = in_size**-0.5
        limit = bound if weight_bound is None else weight_bound
        self.weight = jax.random.uniform(
            weight_key, (in_size, out_size), minval=-limit, maxval=limit
        )
        if zero_bias:
            self.bias = jnp.zeros(out_size)
        else:
            self.bias = jax.random.uniform(bias_key, (out_size,), minval=-bound, maxval=bound)

    def __call__(self, x: Float[Array, "in *batch"]) -> Float[Array, "out *batch"]:
        bias = self.bias.reshape(-1, *[1] * (x.ndim - 1))
        return jnp.tensordot(self.weight, x, (0, 0)) + bias
