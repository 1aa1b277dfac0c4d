"""The tanh-Gaussian is a distribution, agrees with its samples, and stays finite."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from online_rl.distribution import TanhGaussian


@pytest.mark.parametrize("loc,log_std", [(0.0, 0.0), (0.7, -1.0), (-1.5, 0.0)])
def test_density_integrates_to_one(loc, log_std):
    # in x = artanh(a), where the density falls off at both ends: da = (1 − a²) dx
    x = jnp.linspace(-6.0, 6.0, 20_001)
    action = jnp.tanh(x)
    policy = TanhGaussian(jnp.full_like(x, loc), jnp.full_like(x, log_std))
    density = jnp.exp(policy.log_prob(action)) / jnp.cosh(x) ** 2
    assert jnp.trapezoid(density, x) == pytest.approx(1.0, abs=2e-3)


def test_samples_have_the_log_probability_of_their_action():
    loc = jnp.linspace(-1, 1, 50)
    policy = TanhGaussian(loc, jnp.full(50, -1.0))
    action, log_prob = policy.sample(jax.random.key(0))
    assert (jnp.abs(action) < 1).all()
    np.testing.assert_allclose(policy.log_prob(action), log_prob, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(policy.mode(), jnp.tanh(loc), rtol=1e-6)


def test_samples_follow_the_density():
    policy = TanhGaussian(jnp.full(40_000, 0.4), jnp.full(40_000, -0.5))
    before_tanh = jnp.arctanh(policy.sample(jax.random.key(1))[0])
    assert before_tanh.mean() == pytest.approx(0.4, abs=0.02)
    assert before_tanh.std() == pytest.approx(np.exp(-0.5), rel=0.02)


@pytest.mark.parametrize("loc", [-200.0, -15.0, 0.0, 15.0, 200.0])
def test_far_out_values_and_gradients_stay_finite(loc):
    def log_prob(loc):
        return TanhGaussian(loc[None], jnp.array([2.0])).sample(jax.random.key(0))[1].sum()

    value, grad = jax.value_and_grad(log_prob)(jnp.asarray(loc))
    assert jnp.isfinite(value) and jnp.isfinite(grad)
    edge = TanhGaussian(jnp.zeros(2), jnp.zeros(2)).log_prob(jnp.array([-1.0, 1.0]))
    assert jnp.isfinite(edge).all()


def test_log_std_is_clipped():
    policy = TanhGaussian.from_head(jnp.array([0.3, -0.2, -50.0, 50.0]))
    np.testing.assert_allclose(policy.loc, [0.3, -0.2])
    assert policy.log_std.tolist() == [-5.0, 2.0]
