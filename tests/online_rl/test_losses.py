"""Golden parity of the actor-critic losses, at every weight and with or without entropy."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from online_rl import losses
from tests import golden_map

GOLDEN = golden_map.load("sac_losses")
#: The weights that were recorded, as their keys write them.
WEIGHTS = sorted({re.match(r"pi_rw(.*?)_", k)[1] for k in GOLDEN if k.startswith("pi_rw")})
ALPHA, GAMMA = float(GOLDEN["alpha_init"]), float(GOLDEN["gamma"])


def close(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def golden():
    g = GOLDEN
    mask, real = ~g["tape_start"][1:], g["tape_real"][:-1]
    return g, mask, real


@pytest.mark.parametrize("backup_entropy", [True, False])
@pytest.mark.parametrize("weight", WEIGHTS)
def test_critic_loss(golden, weight, backup_entropy):
    g, mask, real = golden
    target = losses.td_target(
        g["tape_next_reward"][:-1],
        g["tape_next_terminated"][:-1],
        g["next_qs"][:, 1:],
        g["action_log_prob"].sum(-1)[1:],
        jnp.asarray(ALPHA),
        GAMMA,
        backup_entropy=backup_entropy,
    )
    q = g["qs"][:, :-1]
    parts = losses.split(losses.critic_error(q, target), mask, real)
    # the published figure of Q is the first critic's
    q_parts = losses.split(q[0], mask, real)
    expected = f"q_rw{weight}_be{int(backup_entropy)}_"
    close(parts.weighted(float(weight)).value, g[expected + "loss_q"])
    close(parts.real, g[expected + "loss_q_real"])
    close(parts.imagined, g[expected + "loss_q_imag"])
    close(losses.masked_mean(q[0], mask), g[expected + "q_mean"])
    close(q_parts.real, g[expected + "real_q_mean"])
    close(q_parts.imagined, g[expected + "imag_q_mean"])


@pytest.mark.parametrize("weight", WEIGHTS)
def test_actor_and_temperature_losses(golden, weight):
    g, mask, real = golden
    log_prob = g["action_log_prob"].sum(-1)[:-1]
    close(-log_prob, g[f"pi_rw{weight}_entropy"])
    error = losses.actor_error(g["qs"][:, :-1], log_prob, jnp.asarray(ALPHA))
    parts = losses.split(error, mask, real)
    close(parts.weighted(float(weight)).value, g[f"pi_rw{weight}_loss_pi"])
    close(parts.real, g[f"pi_rw{weight}_loss_pi_real"])
    close(parts.imagined, g[f"pi_rw{weight}_loss_pi_imag"])

    def temperature_loss(log_alpha):
        gap = -log_prob - g["target_entropy"].astype(jnp.float32)
        return jnp.exp(log_alpha) * losses.split(gap, mask, real).weighted(float(weight)).value

    loss, grad = jax.value_and_grad(temperature_loss)(jnp.log(ALPHA))
    close(loss, g[f"alpha_rw{weight}_loss"])
    close(grad, g[f"alpha_rw{weight}_grad_log_alpha"])
    entropy = losses.split(-log_prob, mask, real)
    close(entropy.real, g[f"alpha_rw{weight}_real_pi_entropy"])
    close(entropy.imagined, g[f"alpha_rw{weight}_imag_pi_entropy"])


def test_an_empty_group_counts_zero_and_nothing_outside_the_mask_matters():
    values = jnp.array([1.0, 3.0, jnp.nan])
    mask = jnp.array([True, True, False])
    parts = losses.split(values, mask, jnp.array([True, True, False]))
    assert (parts.real, parts.imagined) == (2.0, 0.0)
    assert parts.weighted(0.25).value == 0.5
    assert losses.masked_mean(values, jnp.zeros(3, bool)) == 0.0
    grad = jax.grad(lambda v: losses.split(v, mask, mask).weighted(1.0).value)(values)
    assert grad.tolist() == [0.5, 0.5, 0.0]


def test_the_target_ignores_what_follows_a_terminal_state_but_not_a_truncated_one():
    target = losses.td_target(
        jnp.array([1.0, 1.0]),
        jnp.array([True, False]),
        jnp.array([[jnp.nan, 7.0], [jnp.nan, 5.0]]),
        jnp.zeros(2),
        jnp.asarray(0.1),
        0.5,
        backup_entropy=False,
    )
    assert target.tolist() == [1.0, 3.5]
