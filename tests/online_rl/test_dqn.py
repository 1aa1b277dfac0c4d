"""The bandit's agent: published numbers, exploration, and what it learns."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experience.tape import Tape
from memory import LRUStack, MemorySettings
from online_rl import losses
from online_rl.dqn import DQNAgent, DQNSettings, plasticity
from online_rl.encoders import RecurrentEncoder
from online_rl.networks import DuelingHead
from online_rl.optimiser import SplitOptimiser
from tests import golden_map
from tests.online_rl import golden_networks

SETTINGS = DQNSettings(0.9, 0.05, 1.0, 0.1, 50.0, head_d_hidden=16, head_n_layers=2)


def make_agent(settings=SETTINGS):
    def make_encoder(key):
        settings = MemorySettings(16, 8, 2, 0.0, 0.9, "sequential")
        return RecurrentEncoder(4, LRUStack, settings, key=key)

    optimiser = SplitOptimiser(optax.adam(1e-3), optax.adam(1e-2))
    return DQNAgent(settings, make_encoder, optimiser, (1.0, 0.0))


@pytest.fixture(scope="module")
def agent():
    return make_agent()


@pytest.fixture(scope="module")
def learner(agent):
    return eqx.filter_jit(agent.init)(jax.random.key(0))


def test_q_network_matches_the_published_one():
    arrays = golden_map.load("q_network")
    encoder, head = golden_networks.encoder(arrays), golden_networks.dueling_head(arrays)

    @jax.jit
    def q(observation, start):
        x = jax.vmap(encoder.pre)(observation)
        x, _ = encoder.memory.sequence(x, start, encoder.initial_memory())
        return jax.vmap(head)(x)

    found = q(arrays["observation"], arrays["start"].astype(bool))
    np.testing.assert_allclose(found, arrays["q"], rtol=1e-4, atol=1e-5)


def test_loss_matches_the_published_one():
    g = golden_map.load("ddqn_loss")
    mask = ~g["tape_start"][1:].astype(bool)
    result = losses.double_q(
        g["q_online"][:-1],
        g["tape_action"][:-1],
        g["tape_next_reward"][:-1],
        g["tape_next_terminated"][:-1].astype(bool),
        g["q_online"][1:],
        g["q_target"][1:],
        float(g["gamma"]),
    )
    for values, name in (
        (result.error, "out_loss"),
        (result.q, "out_q_mean"),
        (result.target, "out_target_mean"),
        (result.next_value, "out_target_network_mean"),
    ):
        np.testing.assert_allclose(losses.masked_mean(values, mask), g[name], rtol=1e-4, atol=1e-5)


def test_epsilon_falls_linearly_and_stays(agent, learner):
    def at(updates):
        return float(agent.epsilon(eqx.tree_at(lambda le: le.updates, learner, updates)))

    values = [at(jnp.asarray(n)) for n in (0, 25, 50, 1000)]
    np.testing.assert_allclose(values, [1.0, 0.55, 0.1, 0.1], rtol=1e-6)


def test_acts_greedily_or_explores(agent, learner):
    count = 400
    observation = jnp.tile(jnp.array([0.0, 1.0, 0.0, 0.0]), (count, 1))
    start = jnp.ones(count, bool)
    memory = agent.initial_memory(learner, count)

    @eqx.filter_jit
    def arms(learner, deterministic):
        key = jax.random.key(3)
        action, _ = agent.act(learner, observation, start, memory, key, deterministic=deterministic)
        return action

    greedy = np.asarray(arms(learner, True))
    assert (greedy.sum(1) == 1).all() and (greedy == greedy[0]).all()
    # ε is 1: either arm with probability a half
    assert 0.4 < arms(learner, False)[:, 0].mean() < 0.6
    late = eqx.tree_at(lambda le: le.updates, learner, jnp.asarray(50))
    assert 0.02 < (arms(late, False) != greedy).any(axis=1).mean() < 0.09


def test_learns_which_arm_pays(agent, learner):
    """Myopic on a tape of random pulls where only arm 1 pays, Q must become the rewards."""
    myopic = make_agent(DQNSettings(0.0, 0.05, 1.0, 0.1, 50.0, 16, 2))
    arm = jax.random.bernoulli(jax.random.key(2), 0.5, (64,)).astype(jnp.int32)
    flag = jnp.zeros(64, bool)
    start = jnp.arange(64) % 16 == 0
    tape = Tape(
        state=jnp.zeros((64, 1)),
        action=jax.nn.one_hot(arm, 2),
        next_reward=arm.astype(jnp.float32),
        next_penalty=jnp.zeros(64),
        start=start,
        next_terminated=flag,
        next_truncated=flag,
        real=flag,
    )

    @eqx.filter_jit
    def train(learner):
        def step(_, learner):
            return myopic.update(learner, tape, jax.random.key(0))[0]

        return jax.lax.fori_loop(0, 300, step, learner)

    # optax mixes weak and strong types
    with jax.numpy_dtype_promotion("standard"):
        learned = train(learner)
    q = jax.vmap(learned.online.head)(learned.online.encoder(tape, jnp.array([1.0, 0.0])))
    np.testing.assert_allclose(q.mean(0), [0.0, 1.0], atol=0.05)
    assert int(learned.updates) == 300


def test_rows_across_a_start_are_not_transitions(agent, learner):
    """What is written in an episode's final row must not change the update."""
    start = jnp.arange(20) % 10 == 0
    flag = jnp.zeros(20, bool)
    action = jax.nn.one_hot(jnp.arange(20) % 2, 2)
    update = eqx.filter_jit(agent.update)

    def loss(reward):
        none = jnp.zeros(20)
        tape = Tape(
            state=jnp.zeros((20, 1)),
            action=action,
            next_reward=reward,
            next_penalty=none,
            start=start,
            next_terminated=flag,
            next_truncated=flag,
            real=flag,
        )
        with jax.numpy_dtype_promotion("standard"):
            return update(learner, tape, jax.random.key(0))[1]["loss_q"]

    reward = jnp.ones(20)
    np.testing.assert_array_equal(loss(reward), loss(reward.at[jnp.array([9, 19])].set(100.0)))
    assert loss(reward) != loss(reward.at[8].set(100.0))


def test_plasticity_of_known_features():
    basis = jnp.eye(5)
    features = jnp.concatenate([10.0 * basis[:1], 10.0 * basis[1:2], 0.01 * basis[2:3]])
    rank, norm = plasticity(features)
    assert rank == 2.0
    np.testing.assert_allclose(norm, 20.01 / 3, rtol=1e-5)
    assert plasticity(basis).stable_rank == 5.0


def test_dueling_head_centres_advantages(getkey):
    head = DuelingHead(4, 3, 8, 1, key=getkey())
    moved = eqx.tree_at(lambda h: h.advantage.bias, head, head.advantage.bias + 7.0)
    x = jax.random.normal(getkey(), (4,))
    both = eqx.filter_jit(lambda *heads: [h(x) for h in heads])(head, moved)
    np.testing.assert_allclose(*both, atol=1e-5)
