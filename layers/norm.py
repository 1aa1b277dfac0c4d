"""Layer normalisation with the activation that follows it, differentiated by hand.

XLA's CPU backend turns the automatic gradient into scalar code that takes twenty times as long as
the forward pass; the backward pass below costs four times as much. Two things matter in it: the two
means over features are written as products with the scale, which XLA computes apart from the
element-wise rest, and nothing but the input and its two moments is kept.

On a graphics card it is the batch that decides. One example (`vmap` adds the batch in front) is
short work: everything is written so that few kernels can hold it. Where a batch follows the
features, memory is what limits: means over features are arrays of their own, and a kernel that
reads input and gradient writes the input's gradient and all three sums over the batch.
"""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from layers.backend import on_cpu

EPSILON = 1e-5


def _over_features(statistic, x):
    """A value per feature, ready to be broadcast over the batch axes that follow in `x`."""
    return statistic.reshape(-1, *[1] * (x.ndim - 1))


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def normalise(
    x: Float[Array, "d *batch"],
    scale: Float[Array, " d"],
    offset: Float[Array, " d"],
    slope: float,
) -> Float[Array, "d *batch"]:
    """leaky(scale · (x − mean) / √(var + 1e-5) + offset) over the first axis.

    A `slope` of 1 is no activation.
    """
    return _forward(x, scale, offset, slope)[0]


def _is_bound_by_memory(x):
    return x.ndim > 1 and not on_cpu()


def _mean_apart(x):
    """The mean over features, which XLA does not compute again in every kernel that needs it.

    Divided first: a division after the sum would be a kernel of its own.
    """
    return jax.lax.optimization_barrier((x * (1 / x.shape[0])).sum(0, keepdims=True))


def _forward(x, scale, offset, slope):
    mean_of = _mean_apart if _is_bound_by_memory(x) else partial(jnp.mean, axis=0, keepdims=True)
    mean = mean_of(x)
    inverse_std = jax.lax.rsqrt(mean_of(jnp.square(x - mean)) + EPSILON)
    y = (x - mean) * inverse_std * _over_features(scale, x) + _over_features(offset, x)
    y = y if slope == 1.0 else jnp.maximum(y, slope * y)
    return y, (x, mean, inverse_std, scale, offset)


def _backward(slope, residuals, grad):
    x, mean, inverse_std, scale, offset = residuals
    wide_scale = _over_features(scale, x)

    def inside(grad, inverse_std):
        """The gradient before the activation, and the normalised input."""
        unit = (x - mean) * inverse_std
        if slope != 1.0:
            grad = jnp.where(unit * wide_scale + _over_features(offset, x) > 0, grad, slope * grad)
        return grad, unit

    inner, unit = inside(grad, inverse_std)
    if on_cpu():
        mean_grad = jnp.tensordot(scale, inner, (0, 0))[None] / scale.size
        mean_grad_unit = jnp.tensordot(scale, inner * unit, (0, 0))[None] / scale.size
    elif _is_bound_by_memory(x):
        mean_grad = _mean_apart(wide_scale * inner)
        mean_grad_unit = _mean_apart(wide_scale * inner * unit)
        # computed once more where they are needed again: else they are written and read
        inner, unit = inside(*jax.lax.optimization_barrier((grad, inverse_std)))
    else:
        # written so that one kernel can hold them and what follows
        mean_grad = (wide_scale * inner).mean(0, keepdims=True)
        mean_grad_unit = (wide_scale * inner * unit).mean(0, keepdims=True)
    grad_x = inverse_std * (inner * wide_scale - mean_grad - unit * mean_grad_unit)
    batch = tuple(range(1, x.ndim))
    return grad_x, (inner * unit).sum(batch), inner.sum(batch)


normalise.defvjp(_forward, _backward)


class LayerNorm(eqx.Module):
    """Affine layer normalisation of one example, followed by a leaky ReLU unless `slope` is 1.

    Batch axes may follow the features.
    """

    scale: Float[Array, " d"]
    offset: Float[Array, " d"]
    slope: float = eqx.field(static=True)

    def __init__(self, size: int, *, slope: float = 1.0):
        self.scale = jnp.ones(size)
        self.offset = jnp.zeros(size)
        self.slope = slope

    def __call__(self, x: Float[Array, "d *batch"]) -> Float[Array, "d *batch"]:
        return normalise(x, self.scale, self.offset, self.slope)
