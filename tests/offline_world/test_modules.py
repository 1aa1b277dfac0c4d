"""Golden parity of the ensemble, its losses, its uncertainties and the scaler."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from catalogue.uncertainty import UNCERTAINTIES
from offline_world.modules import Ensemble, nll, soft_clamp, squared_error
from offline_world.scaler import Scaler, Statistics
from tests import golden_map
from tests.offline_world import golden_ensemble


def close(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name,has_ln", [("world_model_ln", True), ("world_model_no_ln", False)])
def test_matches_the_published_model(name, has_ln):
    g = golden_map.load(name)
    ensemble = golden_ensemble.ensemble(g)
    assert ensemble.has_ln == has_ln
    mean, log_std = eqx.filter_jit(Ensemble.log_gaussian)(ensemble, g["x_same"])
    std = jnp.exp(log_std)
    close(mean, g["mu_same"])
    close(std, g["sigma_same"])
    close(squared_error(mean, g["y_same"]).mean(-1), g["mse_same"])
    golden_ensemble.check_uncertainties(g, mean, std)

    def loss(ensemble):
        mean, log_std = ensemble.log_gaussian(g["x_diff"])
        return nll(mean, log_std, g["y_diff"]).mean(), (mean, jnp.exp(log_std))

    (value, (mean, std)), grads = eqx.filter_jit(eqx.filter_value_and_grad(loss, has_aux=True))(
        ensemble
    )
    close(mean, g["mu_diff"])
    close(std, g["sigma_diff"])
    close(value, g["nll_diff"])
    expected = golden_ensemble.ensemble(g, "grad:")
    for ours, theirs in zip(jax.tree.leaves(grads), jax.tree.leaves(expected), strict=True):
        close(ours, theirs)


def test_members_differ_and_start_within_the_fan_in_bound(getkey):
    make = eqx.filter_jit(lambda key: Ensemble(3, 6, 5, 16, residual=4, key=key))
    ensemble = make(getkey())
    weight = ensemble.members.blocks[0].linear.weight
    assert not jnp.array_equal(weight[0], weight[1])
    assert jnp.abs(weight).max() <= 6**-0.5 and jnp.abs(weight).max() > 0.9 * 6**-0.5
    assert (ensemble.size, ensemble.in_size, ensemble.hidden_size) == (3, 6, 16)
    assert ensemble.subset(jnp.array([2, 0])).members.mean_head.bias.shape == (2, 5)


def test_log_std_stays_between_its_limits_with_gradient():
    x = jnp.array([-100.0, -5.0, 0.0, 0.25, 100.0])
    y = soft_clamp(x)
    assert (y >= -5.0).all() and (y <= 0.25 + 0.01).all() and (jnp.diff(y) > 0).all()
    assert (jax.vmap(jax.grad(soft_clamp))(x[1:-1]) > 0).all()


def test_uncertainties_of_two_hand_made_members():
    mean = jnp.array([[[0.0, 1.0]], [[2.0, 1.0]]])
    std = jnp.array([[[3.0, 4.0]], [[1.0, 1.0]]])
    assert UNCERTAINTIES["epi_mean"](mean, std)[0] == pytest.approx(np.sqrt(0.5))
    assert UNCERTAINTIES["ale_max"](mean, std)[0] == pytest.approx(5.0)
    assert UNCERTAINTIES["total_var"](mean, std)[0] == pytest.approx(np.sqrt((1 + 5 + 0 + 8.5) / 2))


def test_scaler_matches_the_published_one_and_inverts():
    g = golden_map.load("scaler")
    arrays = (np.asarray(g[k]) for k in ("observations", "actions", "rewards"))
    scaler = Scaler.fit(*arrays, Statistics.PUBLISHED)
    close(scaler.inputs(g["observations"], g["actions"]), g["inputs"])
    close(scaler.targets(g["observations"], g["rewards"]), g["targets"])
    close(scaler.input_std, g["input_std"])
    close(scaler.target_std, g["output_std"])
    state, reward = scaler.unscale(g["targets"])
    close(state, g["observations"])
    close(reward, g["rewards"])


def test_next_states_are_scaled_by_the_statistics_of_states():
    rng = np.random.default_rng(0)
    states = rng.normal(5.0, 2.0, (40, 3)).astype(np.float32)
    rewards = rng.normal(size=40).astype(np.float32)
    scaler = Scaler.fit(states, states[:, :1], rewards, Statistics.EXACT)
    shifted = jnp.asarray(states + 100.0)
    expected = (shifted - states.mean(0)[None]) / states.std(0)[None]
    close(scaler.targets(shifted, jnp.asarray(rewards))[:, :3], expected)
