"""Minari datasets on this disk, written by minari itself."""

import dataclasses
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


def test_another_environment_s_dataset_is_told(capsys):
    """Another version's, most often: sizes are equal, and dynamics need not be."""
    collect("Pendulum-v1", "own/told-v0", 50, max_episode_steps=50)
    for environment, is_told in (("Pendulum-v0", True), ("Pendulum-v1", False), (None, False)):
        load_dataset(dataclasses.replace(task("own/told-v0"), environment=environment))
        told = (
            "it was collected in Pendulum-v1, and env.id is Pendulum-v0" in capsys.readouterr().err
        )
        assert told == is_told


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


@pytest.mark.filterwarnings("ignore::UserWarning:minari.utils")
def test_small_whole_numbers_and_dimensions_that_cannot_move():
    """The width of an 8-bit box does not fit in 8 bits; equal bounds have no width at all."""
    low, high = np.int8([-128, 3]), np.int8([127, 3])
    written = [np.int8([value, 3]) for value in (-128, 127, 0)]
    write_episode("own/small-v0", written, gymnasium.spaces.Box(low, high, dtype=np.int8))
    actions = load_dataset(task("own/small-v0")).actions
    np.testing.assert_allclose(actions, [[-1, 0], [1, 0], [0.5 / 127.5, 0]], atol=1e-6)


@pytest.mark.filterwarnings("ignore::UserWarning:minari.utils")
def test_actions_outside_the_dataset_own_box(capsys):
    box = gymnasium.spaces.Box(-2, 2, (1,), np.float32)
    write_episode("own/out-v0", [np.float32([x]) for x in (0, 2.2, -2)], box)
    with pytest.raises(UserError, match="bounds of the dataset's own action space.*clip_actions"):
        load_dataset(task("own/out-v0"))
    clipped = load_dataset(dataclasses.replace(task("own/out-v0"), clip_actions=True))
    np.testing.assert_allclose(clipped.actions[:, 0], [0, 1, -1])
    assert "in 1 of 3 rows (row 1), the furthest from 1.1" in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore::UserWarning:minari.utils")
def test_endings_that_are_also_cut_off_are_endings():
    box = gymnasium.spaces.Box(-1, 1, (1,), np.float32)
    write_episode("own/both-v0", [np.float32([0])] * 3, box, truncated=True)
    dataset = load_dataset(task("own/both-v0"))
    np.testing.assert_array_equal(dataset.terminals, [0, 0, 1])
    assert not dataset.timeouts.any()


def write_episode(dataset_id: str, actions: list, space, *, truncated: bool = False) -> None:
    """One episode with a terminal step at its end, as Minari itself writes it."""
    from minari.data_collector import EpisodeBuffer

    steps = len(actions)
    states = [np.float32([i, 0]) for i in range(steps + 1)]
    last = [False] * (steps - 1)
    buffer = EpisodeBuffer(
        id=0,
        observations=states,
        actions=actions,
        rewards=[1.0] * steps,
        terminations=[*last, True],
        truncations=[*last, truncated],
    )
    minari.create_dataset_from_buffers(
        dataset_id,
        buffer=[buffer],
        observation_space=gymnasium.spaces.Box(-9, 9, (2,), np.float32),
        action_space=space,
        **ABOUT,
    )


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
