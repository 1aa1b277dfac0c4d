"""What is written in one form for a processor and in another for a card computes the same."""

from importlib import import_module

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from layers import LayerNorm
from memory.recurrence import pick_strategy
from offline_world.criterion import relative_mse
from offline_world.fit import FitSettings
from tests.offline_world import golden_ensemble

# by name: memory.recurrence is also a function
CHOOSING = ("layers.norm", "offline_world.modules", "offline_world.fit")


@pytest.fixture
def both(monkeypatch):
    """(function of no arguments) → what it gives in the processor's and the accelerator's form."""

    def run(function):
        results = []
        for on_cpu in (True, False):
            for module in CHOOSING:
                monkeypatch.setattr(import_module(module), "on_cpu", lambda on_cpu=on_cpu: on_cpu)
            # a new function each time: what was compiled for the other form must not be found
            results.append(jax.jit(lambda: function())())
        return results

    return run


def assert_same(results):
    for a, b in zip(*map(jax.tree.leaves, results), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("slope", [1.0, 0.01])
def test_normalisation_and_its_gradient(both, getkey, slope):
    x, weight = jax.random.normal(getkey(), (2, 6, 9))
    norm = eqx.tree_at(
        lambda n: (n.scale, n.offset),
        LayerNorm(6, slope=slope),
        tuple(jax.random.normal(getkey(), (2, 6))),
    )

    def loss(arguments):
        norm, x = arguments
        batched = jnp.vdot(norm(x), weight)
        return batched + jnp.vdot(jax.vmap(norm, 1, 1)(x), weight)

    assert_same(both(lambda: eqx.filter_value_and_grad(loss)((norm, x))))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("shape", [(5, 4), (3, 5, 4)])
def test_ensemble_and_its_gradient(both, getkey, shape, training):
    ensemble = golden_ensemble.random(3, 4, 3, 8, residual=2, depth=2, seed=0)
    x = jax.random.normal(getkey(), shape)

    def loss(ensemble):
        mean, log_std = ensemble.log_gaussian(x, training=training)
        return jnp.square(mean).sum() + log_std.sum()

    assert_same(both(lambda: (ensemble.log_gaussian(x), eqx.filter_grad(loss)(ensemble))))


def test_three_steps_of_the_ensembles_optimiser(both):
    ensemble = golden_ensemble.random(3, 4, 3, 8, residual=2, depth=2, seed=0)
    settings = FitSettings(
        relative_mse(0.01), lr=0.1, weight_decay=0.1, batch_size=4, patience=1, epochs=1
    )

    def steps():
        optimiser, moved = settings.optimiser(), ensemble
        state = optimiser.init(eqx.filter(moved, eqx.is_array))
        for _ in range(3):
            grads = jax.tree.map(jnp.cos, moved)
            change, state = optimiser.update(grads, state, moved)
            moved = eqx.apply_updates(moved, change)
        return moved

    with jax.numpy_dtype_promotion("standard"):  # optax counts steps in integers
        assert_same(both(steps))


def test_long_recurrences_take_the_backends_way(monkeypatch):
    assert pick_strategy("auto", 100) == "chunked"
    monkeypatch.setattr(import_module("memory.recurrence"), "on_cpu", lambda: False)
    assert pick_strategy("auto", 100) == "blocks"
