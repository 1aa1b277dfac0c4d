"""Golden parity of critic and actor, and what REDQ draws of the critics."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from online_rl.distribution import TanhGaussian
from online_rl.networks import CriticHead, all_q, make_critic_heads, sampled_heads
from tests import golden_map
from tests.online_rl import golden_networks


def close(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


class Rows(eqx.Module):
    """A batch whose observations are given rather than rebuilt from neighbours."""

    observations: jax.Array
    start: jax.Array

    def observation(self, first_action):
        return self.observations


@pytest.fixture(scope="module")
def golden_critic():
    g = golden_map.load("critic")
    return g, golden_networks.encoder(g), golden_networks.critic_heads(g)


@pytest.fixture(scope="module")
def golden_actor():
    g = golden_map.load("actor")
    return g, golden_networks.encoder(g), golden_networks.actor_head(g)


def test_critic_matches_the_published_one(golden_critic):
    g, encoder, heads = golden_critic

    @eqx.filter_jit
    def run(encoder, heads, batch, action):
        return all_q(heads, encoder(batch, jnp.zeros(action.shape[1])), action)

    close(run(encoder, heads, Rows(g["observation"], g["start"]), g["action"]), g["q"])


def test_actor_matches_the_published_one(golden_actor):
    g, encoder, head = golden_actor

    @eqx.filter_jit
    def run(encoder, head, batch, action):
        policy = TanhGaussian.from_head(jax.vmap(head)(encoder(batch, jnp.zeros(action.shape[1]))))
        return policy.loc, jnp.exp(policy.log_std), policy.log_prob(action), policy.mode()

    loc, scale, log_prob, mode = run(encoder, head, Rows(g["observation"], g["start"]), g["action"])
    close(loc, g["loc"])
    close(scale, g["scale"])
    np.testing.assert_allclose(log_prob, g["log_prob"], rtol=1e-3, atol=1e-4)
    close(mode, g["mode"])


def test_actor_acts_row_by_row_as_published(golden_actor):
    """The golden batch: the same rows several times, fed one at a time."""
    g, encoder, head = golden_actor
    steps, batch, _ = g["step_modes"].shape

    @eqx.filter_jit
    def step(encoder, head, observation, start, memory):
        features, memory = jax.vmap(encoder.step)(observation, start, memory)
        policy = TanhGaussian.from_head(jax.vmap(head)(features))
        return policy.mode(), features, memory

    memory = jnp.stack([encoder.initial_memory()] * batch)
    for i in range(steps):
        observation = jnp.tile(g["observation"][i], (batch, 1))
        start = jnp.full(batch, bool(g["start"][i]))
        mode, features, memory = step(encoder, head, observation, start, memory)
        close(mode, g["step_modes"][i])
        close(features, g["step_features"][i])
    published = g["step_states"][:, :, 0].swapaxes(0, 1)
    close(memory, jnp.stack([published.real, published.imag], axis=2))


def test_absorbing_rows_leaves_the_memory_of_stepping_through_them(golden_actor):
    g, encoder, _ = golden_actor
    rows = slice(len(g["step_modes"]))
    absorbed = eqx.filter_jit(encoder.absorb)(
        g["observation"][rows], g["start"][rows], encoder.initial_memory()
    )
    published = g["step_states"][:, 0, 0]
    close(absorbed, jnp.stack([published.real, published.imag], axis=1))


def test_the_split_first_product_is_the_joined_one(golden_critic):
    _, _, heads = golden_critic
    head = jax.tree.map(lambda leaf: leaf[0], heads)
    action_size = golden_critic[0]["action"].shape[1]
    x = jax.random.normal(jax.random.key(0), head.trunk.blocks[0].linear.weight.shape[:1])
    joined = head.out(head.trunk(x))[0]
    close(CriticHead.__call__(head, x[:-action_size], x[-action_size:]), joined)


def test_sampled_critics_are_different_and_every_one_has_its_turn():
    heads = eqx.filter_jit(lambda key: make_critic_heads(5, 3, 2, 4, 1, key=key))(jax.random.key(0))
    heads = eqx.tree_at(lambda h: h.out.bias, heads, jnp.arange(5.0)[:, None])
    keys = jax.random.split(jax.random.key(1), 2000)
    drawn = eqx.filter_jit(jax.vmap(lambda k: sampled_heads(heads, 2, k).out.bias[:, 0]))(keys)
    assert (drawn[:, 0] != drawn[:, 1]).all()
    counts = np.bincount(np.asarray(drawn).astype(int).ravel())
    np.testing.assert_allclose(counts / 2000, 0.4, atol=5 * (0.24 / 2000) ** 0.5)


def test_value_heads_start_near_zero_without_bias():
    heads = eqx.filter_jit(lambda key: make_critic_heads(3, 6, 2, 25, 1, key=key))(
        jax.random.key(0)
    )
    assert (heads.out.bias == 0).all()
    bound = (0.01 / 25) ** 0.5
    assert 0.8 * bound < jnp.abs(heads.out.weight).max() <= bound
    assert not jnp.array_equal(heads.out.weight[0], heads.out.weight[1])
