"""Minari datasets on this disk, written by minari itself."""

import sys

import gymnasium
import minari
import numpy as np
import pytest

from experience.data.dataset import load_dataset
from experience.tasks import get_task
from harness.configuration.groups import EnvConfig
from harness.errors import UserError

ABOUT = {
    "algorithm_name": "random",
    "author": "a",
    "author_email": "a@example.org",
    "code_permalink": "https://example.org",
    "description": "random steps",
}


def task(dataset_id: str):
    env = EnvConfig(dataset_path=f"minari:{dataset_id}", horizon=50, ref_min=0.0, ref_max=1.0)
    return get_task("custom", "mine", env)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    return tmp_path


def collect(env_id: str, dataset_id: str, steps: int, **settings) -> list:
    """Random steps of a gymnasium environment as a Minari dataset; returns (o, a, r, o', end)."""
    env = minari.DataCollector(gymnasium.make(env_id, **settings))
    env.action_space.seed(0)
    observation, _ = env.reset(seed=0)
    seen = []
    for _ in range(steps):
        action = env.action_space.sample()
        following, reward, terminated, truncated, _ = env.step(action)
        seen.append((observation, action, reward, following, terminated, truncated))
        observation = env.reset()[0] if terminated or truncated else following
    env.create_dataset(dataset_id, eval_env=env_id, **ABOUT)
    env.close()
    return seen


def test_a_local_dataset_is_read_with_rescaled_actions():
    seen = collect("Pendulum-v1", "own/pendulum-v0", 130, max_episode_steps=50)
    dataset = load_dataset(task("own/pendulum-v0"))
    observations, actions, rewards, following, terminated, truncated = zip(*seen, strict=True)
    np.testing.assert_allclose(dataset.observations, observations)
    np.testing.assert_allclose(dataset.actions, np.array(actions) / 2, atol=1e-6)
    np.testing.assert_allclose(dataset.rewards, rewards, rtol=1e-6)
    np.testing.assert_allclose(dataset.next_observations, following)
    np.testing.assert_array_equal(dataset.terminals, terminated)
    # the last episode was never closed: the next row does not follow it either
    np.testing.assert_array_equal(dataset.timeouts[:-1], truncated[:-1])
    assert dataset.timeouts[-1]


# minari warns of a dataset that names no environment
@pytest.mark.filterwarnings("ignore::UserWarning:minari.utils")
def test_terminal_steps_and_uneven_bounds(folder):
    from minari.data_collector import EpisodeBuffer

    box = gymnasium.spaces.Box
    low, high = np.float32([0, -2]), np.float32([1, 4])
    minari.create_dataset_from_buffers(
        "own/two-v0",
        buffer=[
            EpisodeBuffer(
                id=i,
                observations=list(np.full((steps + 1, 3), i, np.float32)),
                actions=[low, high, (low + high) / 2][:steps],
                rewards=[1.0] * steps,
                terminations=[False] * (steps - 1) + [i == 0],
                truncations=[False] * (steps - 1) + [i == 1],
            )
            for i, steps in enumerate((3, 2))
        ],
        observation_space=box(-5, 5, (3,), np.float32),
        action_space=box(low, high),
        **ABOUT,
    )
    dataset = load_dataset(task("own/two-v0"))
    np.testing.assert_array_equal(dataset.terminals, [0, 0, 1, 0, 0])
    np.testing.assert_array_equal(dataset.timeouts, [0, 0, 0, 0, 1])
    np.testing.assert_array_equal(dataset.observations[:, 0], [0, 0, 0, 1, 1])
    np.testing.assert_array_equal(dataset.actions, np.repeat([[-1], [1], [0], [-1], [1]], 2, 1))


def test_a_dataset_that_is_not_here_names_the_command_that_downloads_it():
    with pytest.raises(UserError, match="minari download own/none-v0"):
        load_dataset(task("own/none-v0"))


def test_discrete_actions_are_not_supported():
    collect("CartPole-v1", "own/cartpole-v0", 30)
    with pytest.raises(UserError, match="action space Discrete.* only Box spaces"):
        load_dataset(task("own/cartpole-v0"))


def test_without_the_package_its_installation_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "minari", None)
    with pytest.raises(UserError, match=r"needs the minari package; install it with `pip install"):
        load_dataset(task("own/any-v0"))
