"""Steps from a state that was given as an observation agree with the real environment's."""

import numpy as np
import pytest

from experience.real.oracle import make_oracle
from experience.wrapper import make_env
from harness.configuration.groups import EnvConfig
from harness.errors import UserError


@pytest.mark.parametrize(
    ("domain", "name"),
    [
        ("d4rl_loco", "halfcheetah-medium-v2"),
        ("d4rl_loco", "hopper-medium-v2"),
        ("d4rl_loco", "walker2d-medium-v2"),
        ("neorl", "HalfCheetah-v3-low"),
        ("neorl", "Hopper-v3-low"),
        ("neorl", "Walker2d-v3-low"),
    ],
)
def test_locomotion_oracle_steps_like_the_environment(domain, name):
    oracle, env = make_oracle(domain, name), make_env(domain, name)
    actions = np.random.default_rng(0)
    compared = 0
    state = env.reset(seed=0)
    for _ in range(200):
        action = actions.uniform(-1, 1, env.action_space.shape).astype(np.float32)
        # hopper's and walker2d's observation clips velocities: there it is not the whole state
        whole = np.abs(env.unwrapped.sim.data.qvel).max() < 10 or "heetah" in name
        oracle.set_state(state)
        expected, expected_reward, terminated = oracle.step(action)
        state, reward, done, info = env.step(action)
        if whole:
            np.testing.assert_allclose(expected, state, rtol=0, atol=1e-10)
            assert expected_reward == pytest.approx(reward, rel=0, abs=1e-10)
            assert terminated == (done and "TimeLimit.truncated" not in info)
            compared += 1
        if done:
            state = env.reset()
    assert compared >= 30


def test_oracle_runs_past_the_horizon_and_past_a_fall():
    oracle = make_oracle("d4rl_loco", "hopper-medium-v2")
    state = make_env("d4rl_loco", "hopper-medium-v2").reset(seed=0)
    oracle.set_state(state)
    for _ in range(1100):
        state, reward, terminated = oracle.step(np.zeros(3, np.float32))
    assert terminated and np.isfinite(state).all() and np.isfinite(reward)
    assert state[0] < 0.7


def test_pendulum_oracle_steps_like_the_environment():
    """To float32, in which gymnasium gives Pendulum's observations."""
    oracle, env = make_oracle("pendulum", "p"), make_env("pendulum", "p")
    state = env.reset(seed=0)
    for step in range(150):
        action = np.float32([np.sin(step)])
        oracle.set_state(state)
        expected, expected_reward, _ = oracle.step(action)
        state, reward, _, _ = env.step(action)
        np.testing.assert_allclose(expected, state, rtol=0, atol=2e-6)
        assert expected_reward == pytest.approx(reward, rel=0, abs=1e-5)
    oracle.set_state(np.array([np.cos(2.5), np.sin(2.5), -1.25]))
    np.testing.assert_allclose(oracle._pendulum.state, [2.5, -1.25], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("domain", "name", "env_config", "words"),
    [
        ("adroit", "pen-human-v1", None, "choose d4rl_loco"),
        ("antmaze", "antmaze-umaze-v2", None, "choose d4rl_loco"),
        (
            *("custom", "mine", EnvConfig(id="MountainCarContinuous-v0", kwargs={})),
            "env.id=Mount.* has no oracle environment, as one of your own",
        ),
    ],
)
def test_tasks_without_an_oracle(domain, name, env_config, words):
    with pytest.raises(UserError, match=words):
        make_oracle(domain, name, env_config)
