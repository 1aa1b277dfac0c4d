"""The eight test bandits, and where imagined episodes begin."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experience.collector import Policy
from experience.real.bandit_envs import no_history, play
from offline_world.bandit_task import PULLS, SECOND_ARM_PAYS

FIRST = jnp.array([1.0, 0.0])
EPISODES = 20


def run(act, seed=0):
    policy = Policy(
        initial_memory=lambda batch: jnp.zeros(batch), absorb=None, act=act, first_action=FIRST
    )
    return jax.jit(lambda key: play(policy, key, EPISODES))(jax.random.key(seed))


@pytest.fixture(scope="module")
def second_arm():
    def act(observation, start, memory, key):
        return jnp.tile(jnp.array([0.0, 1.0]), (observation.shape[0], 1)), memory + 1

    return run(act)


def test_second_arm_pays_with_its_probability(second_arm):
    returns = second_arm.rewards.mean((0, 2))
    np.testing.assert_allclose(returns, SECOND_ARM_PAYS, atol=5 * 0.5 / (PULLS * EPISODES) ** 0.5)


def test_best_arm_is_the_one_that_pays_more(second_arm):
    expected = np.array(SECOND_ARM_PAYS) > 0.5
    np.testing.assert_array_equal(second_arm.best.all((0, 2)), expected)
    np.testing.assert_array_equal(second_arm.best.any((0, 2)), expected)


def test_observations_are_the_previous_pull(second_arm):
    observations = second_arm.observations
    np.testing.assert_array_equal(
        observations[0], jnp.broadcast_to(jnp.array([0.0, 1.0, 0.0, 0.0]), observations[0].shape)
    )
    np.testing.assert_array_equal(observations[1:, ..., 3], second_arm.rewards[:-1])
    assert (observations[1:, ..., 2] == 1).all() and not observations[..., 0].any()


def test_first_arm_pays_half_everywhere_and_the_key_decides_all():
    def act(observation, start, memory, key):
        return jnp.tile(FIRST, (observation.shape[0], 1)), memory

    played = run(act)
    assert abs(played.rewards.mean() - 0.5) < 5 * 0.5 / played.rewards.size**0.5
    np.testing.assert_array_equal(played.rewards, run(act).rewards)
    assert (played.rewards != run(act, seed=1).rewards).any()


def test_imagined_episodes_begin_without_history():
    histories = no_history()
    np.testing.assert_array_equal(histories.timestep, [0])
    row = histories.draw(jax.random.key(0), 7, from_s0=False)
    np.testing.assert_array_equal(row, np.zeros(7))
    assert histories.tape.start.all() and not histories.tape.real.any()
