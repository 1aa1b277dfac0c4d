"""Orders computed place by place are permutations, differ by key, and look uniform."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from offline_world.shuffle import permuted


def orders(size: int, count: int) -> np.ndarray:
    keys = jax.random.split(jax.random.key(size), count)
    index = jnp.arange(size, dtype=jnp.uint32)
    return np.asarray(jax.jit(jax.vmap(lambda key: permuted(index, size, key)))(keys))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 16, 17, 100, 255, 256, 257, 1000, 4097])
def test_every_order_is_a_permutation(size):
    for order in orders(size, 4):
        np.testing.assert_array_equal(np.sort(order), np.arange(size))


def test_a_million_rows_in_pieces():
    size = 999_983
    piece = jax.jit(
        lambda first: permuted(first + jnp.arange(2**17, dtype=jnp.uint32), size, jax.random.key(0))
    )
    firsts = range(0, size, 2**17)
    order = np.concatenate([piece(jnp.uint32(min(f, size - 2**17))) for f in firsts])
    np.testing.assert_array_equal(np.unique(order), np.arange(size))


def test_keys_give_different_orders_and_no_place_prefers_a_row():
    size, count = 8, 20_000
    drawn = orders(size, count)
    assert len(np.unique(drawn, axis=0)) > count / 3
    frequency = np.stack([np.bincount(place, minlength=size) for place in drawn.T]) / count
    # five standard deviations of a binomial, for the largest of 64
    np.testing.assert_allclose(frequency, 1 / size, atol=5 * (0.125 * 0.875 / count) ** 0.5)


def test_neighbours_in_an_order_are_unrelated():
    order = orders(10_000, 1)[0].astype(float)
    assert abs(np.corrcoef(order[:-1], order[1:])[0, 1]) < 0.05
    assert abs(np.corrcoef(order, np.arange(10_000))[0, 1]) < 0.05
