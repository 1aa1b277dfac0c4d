"""A policy's surroundings: a world model that does not cut off, and the true environment."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from catalogue.uncertainty import epi_mean
from offline_world.scaler import Scaler, Statistics
from offline_world.world import World, dream, own_member
from programs.surroundings import ImaginedSurroundings, TrueSurroundings
from tests.offline_world import golden_ensemble

STATES, ACTIONS, MEMBERS, EPISODES = 2, 1, 3, 7
KEY = jax.random.key(4)


@pytest.fixture(scope="module")
def world() -> World:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(9, STATES)), rng.normal(size=(9, ACTIONS)), rng.normal(size=9)
    return World(
        ensemble=golden_ensemble.random(MEMBERS, STATES + ACTIONS, STATES + 1, 8, residual=STATES),
        scaler=Scaler.fit(*rows, Statistics.EXACT),
        # the agent's own rollouts would be cut off, at once
        threshold=jnp.asarray(0.0),
        penalty_coef=jnp.asarray(5.0),
        horizon=1,
        measure=epi_mean,
        termination=lambda state, action, next_state: state[0] > 1.0,
    )


@pytest.fixture
def here():
    rng = np.random.default_rng(1)
    state = rng.normal(size=(EPISODES, STATES)).astype(np.float32)
    state[2, 0], state[5, 0] = 2.0, 3.0
    return state, rng.uniform(-1, 1, (EPISODES, ACTIONS)).astype(np.float32)


def test_only_the_termination_rule_ends_an_imagined_episode(world, here):
    state, action = here
    reached, reward, ended = ImaginedSurroundings(world, KEY)(0, state, action, np.ones(7, bool))
    np.testing.assert_array_equal(ended, state[:, 0] > 1.0)
    assert reached.shape == state.shape and not np.array_equal(reached, state)
    assert reward.shape == (EPISODES,) and np.isfinite(reward).all()


def test_rewards_are_those_of_an_episodes_member_without_a_penalty(world, here):
    """Nine rollouts in three members: the first two are once more what the last two are."""
    state, action = here
    _, reward, _ = ImaginedSurroundings(world, KEY)(3, state, action, np.ones(7, bool))
    whole = np.array([*range(7), 0, 1])
    inputs = world.scaler.inputs(jnp.asarray(state[whole]), jnp.asarray(action[whole]))
    sample, _ = dream(world.ensemble, epi_mean, inputs, jax.random.fold_in(KEY, 3))
    expected = world.scaler.unscale(sample)[1][:7]
    np.testing.assert_allclose(reward, expected, rtol=1e-4, atol=1e-6)
    means = own_member(world.ensemble(inputs)[0])
    assert len({tuple(row) for row in np.asarray(means[:7])}) == EPISODES


def test_what_is_over_stays_where_it_is(world, here):
    state, action = here
    alive = np.arange(EPISODES) % 2 == 0
    reached, reward, ended = ImaginedSurroundings(world, KEY)(0, state, action, alive)
    np.testing.assert_array_equal(reached[~alive], state[~alive])
    assert not reward[~alive].any() and not ended[~alive].any()
    assert not np.array_equal(reached[alive], state[alive])


def test_a_model_that_gives_no_numbers_ends_the_episode_where_it_was(world, here):
    state, action = here
    state[0] = 1e38
    reached, reward, ended = ImaginedSurroundings(world, KEY)(0, state, action, np.ones(7, bool))
    assert ended[0] and reward[0] == 0.0
    np.testing.assert_array_equal(reached[0], state[0])


class Walker:
    """An oracle that moves by its action and pays its position."""

    def set_state(self, observation):
        self.position = np.array(observation, np.float64)

    def step(self, action):
        self.position = self.position + action
        return self.position, float(self.position[0]), self.position[0] > 1e6 + 2


def test_true_rewards_are_shifted_and_states_measured_from_the_origin():
    walk = TrueSurroundings([Walker() for _ in range(3)], reward_shift=-1.0, origin=np.array([1e6]))
    state, ones = np.array([[0.0], [1.5], [0.5]], np.float32), np.ones((3, 1), np.float32)
    state, reward, ended = walk(0, state, ones, np.array([True, True, False]))
    np.testing.assert_array_equal(state, [[1.0], [2.5], [0.5]])
    np.testing.assert_array_equal(reward, [1e6, 1e6 + 1.5, 0.0])
    np.testing.assert_array_equal(ended, [False, True, False])
    # the walk goes on from where it is, not from what float32 kept of it
    state, _, _ = walk(1, np.zeros((3, 1), np.float32), ones, np.array([True, False, False]))
    np.testing.assert_array_equal(state, [[2.0], [0.0], [0.0]])
