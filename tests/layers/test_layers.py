"""The layers against plain formulas and JAX's own gradient of them."""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from layers import Block, LayerNorm, Linear
from layers.norm import normalise


def plain(x, scale, offset, slope):
    x = (x - x.mean()) / jnp.sqrt(x.var() + 1e-5) * scale + offset
    return jnp.where(x > 0, x, slope * x)


def rows_leading(f, slope):
    return jax.vmap(partial(f, slope=slope), (0, None, None))


def rows_trailing(f, slope):
    return jax.vmap(partial(f, slope=slope), (1, None, None), 1)


def members_of_rows(f, slope):
    """As the ensemble does it: members outside, rows as the last axis inside."""
    return jax.vmap(rows_trailing(f, slope), (0, 0, 0))


CASES = {
    "one example": (lambda f, slope: partial(f, slope=slope), (7,), (7,)),
    "rows leading": (rows_leading, (5, 7), (7,)),
    "rows trailing": (rows_trailing, (7, 5), (7,)),
    "members of rows": (members_of_rows, (3, 7, 5), (3, 7)),
    "members share rows": (
        lambda f, slope: jax.vmap(rows_trailing(f, slope), (None, 0, 0)),
        (7, 5),
        (3, 7),
    ),
}


@pytest.mark.parametrize("slope", [1.0, 0.01])
@pytest.mark.parametrize("case", CASES)
def test_layer_norm_and_its_gradient_are_the_plain_formulas(case, slope, getkey):
    batched, x_shape, scale_shape = CASES[case]
    x = 3.0 * jax.random.normal(getkey(), x_shape) + 1.0
    scale, offset = (jax.random.normal(getkey(), scale_shape) for _ in range(2))
    shape = jax.eval_shape(batched(plain, slope), x, scale, offset).shape
    weights = jax.random.normal(getkey(), shape)

    def value_and_gradients(f):
        def weighted(*arguments):
            y = batched(f, slope)(*arguments)
            return jnp.vdot(weights, y), y

        return jax.jit(jax.value_and_grad(weighted, (0, 1, 2), has_aux=True))(x, scale, offset)

    # a custom gradient takes its static argument by position
    ours = value_and_gradients(lambda x, scale, offset, slope: normalise(x, scale, offset, slope))
    expected = value_and_gradients(plain)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def test_layer_norm_of_a_constant_is_its_offset_with_finite_gradient():
    norm = eqx.tree_at(lambda n: n.offset, LayerNorm(4), jnp.arange(4.0))
    value, grad = jax.value_and_grad(lambda x: norm(x).sum())(jnp.full(4, 3.0))
    assert value == 6.0
    assert jnp.isfinite(grad).all()


def test_linear_draws_within_its_bounds_and_multiplies_by_the_transpose(getkey):
    default = Linear(16, 500, key=getkey())
    for parameter in (default.weight, default.bias):
        assert 0.24 < jnp.abs(parameter).max() <= 0.25
        assert abs(parameter.mean()) < 0.02
    small = Linear(16, 500, weight_bound=0.025, zero_bias=True, key=getkey())
    assert 0.024 < jnp.abs(small.weight).max() <= 0.025
    assert (small.bias == 0).all()
    x = jax.random.normal(getkey(), (16,))
    expected = np.asarray(x) @ np.asarray(default.weight) + np.asarray(default.bias)
    np.testing.assert_allclose(default(x), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("has_ln", [True, False])
def test_block_is_linear_norm_leaky_relu(has_ln, getkey):
    block = Block(3, 8, has_ln=has_ln, key=getkey())
    x = jax.random.normal(getkey(), (3,))
    hidden = block.linear(x)
    if has_ln:
        expected = plain(hidden, jnp.ones(8), jnp.zeros(8), 0.01)
    else:
        expected = jax.nn.leaky_relu(hidden, 0.01)
    np.testing.assert_allclose(block(x), expected, rtol=1e-4, atol=1e-5)
    assert (expected < 0).any() and (expected > 0).any()
