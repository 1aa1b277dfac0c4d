"""Golden parity of the optimiser, and that encoder and head have separate ones."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from layers import Linear
from memory import LRUStack, MemorySettings
from online_rl.encoders import RecurrentEncoder
from online_rl.networks import Network
from online_rl.optimiser import SplitOptimiser, agent_optimiser, in_step, polyak
from tests import golden_map


@pytest.fixture(autouse=True)
def standard_promotion():
    """optax counts its steps in integers."""
    with jax.numpy_dtype_promotion("standard"):
        yield


@pytest.mark.parametrize("name", ["optimizer_constant", "optimizer_cosine_to_zero"])
def test_follows_the_published_parameters(name):
    g = golden_map.load(name)
    optimiser = agent_optimiser(
        float(g["lr"]),
        lr_ratio=float(g["lr_ratio"]),
        grad_steps=int(g["grad_steps"]),
        gradient_scale=float(g["gradient_scale"]),
        weight_decay=float(g["weight_decay"]),
        adam_eps=float(g["adam_eps"]),
    )
    assert jnp.isnan(g["gradients"]).any()
    parameters = g["params"][0]
    state = optimiser.init(parameters)

    @jax.jit
    def step(gradient, state, parameters):
        updates, state = optimiser.update(gradient, state, parameters)
        return optax.apply_updates(parameters, updates), state

    for gradient, expected in zip(g["gradients"], g["params"][1:], strict=True):
        parameters, state = step(gradient, state, parameters)
        np.testing.assert_allclose(parameters, expected, rtol=1e-4, atol=1e-5)


def test_encoder_and_head_are_clipped_and_stepped_apart():
    split = SplitOptimiser(
        *(optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(lr)) for lr in (0.1, 0.5))
    )
    settings = MemorySettings(4, 2, 1, 0.0, 0.9)
    encoder = RecurrentEncoder(2, LRUStack, settings, key=jax.random.key(0))
    network = Network(encoder, Linear(4, 1, key=jax.random.key(1)))
    grads = Network(
        jax.tree.map(lambda x: jnp.full_like(x, 300.0), encoder),
        jax.tree.map(lambda x: jnp.full_like(x, 0.1), network.head),
    )
    moved, _ = split.step(network, grads, split.init(network))
    change = jax.tree.map(jnp.subtract, network, moved)
    # the encoder's huge gradient is cut to length 1 without shrinking the head's
    np.testing.assert_allclose(optax.tree.norm(change.encoder), 0.1, rtol=1e-5)
    for leaf in jax.tree.leaves(change.head):
        np.testing.assert_allclose(leaf, 0.05, rtol=1e-5)


def test_chains_in_step_have_one_count_and_keep_the_rest():
    states = optax.adam(0.1).init(jnp.ones(2)), optax.sgd(0.1).init(jnp.ones(3))
    count = jnp.asarray(7)
    after = in_step(states, count)
    assert after[0][0].count is count
    assert eqx.tree_equal(optax.tree.set(after, count=states[0][0].count), states)


def test_polyak_moves_a_fraction_of_the_way():
    moved = polyak({"a": jnp.array([1.0])}, {"a": jnp.array([3.0])}, 0.25)
    assert moved["a"].tolist() == [1.5]
    assert eqx.tree_equal(polyak(moved, moved, 0.3), moved)
