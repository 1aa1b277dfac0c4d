"""The collector of the tests' datasets, on gym's own environments."""

import gym
import jax
import numpy as np
import pytest

from experience.data.dataset import load_dataset
from experience.data.sources.d4rl_files import d4rl_path
from experience.histories import build_histories
from experience.tasks import get_task
from experience.wrapper import make_env
from neorl.datasets import dataset_path as neorl_path
from offline_world.terminations import termination_fn
from tests.experience.collect import collect, goals_as_terminals, write_d4rl, write_neorl


class Counter(gym.Env):
    """State: the steps since the reset. Terminal at 5 steps if the last action was positive."""

    action_space = gym.spaces.Box(-1, 1, (3,))

    def reset(self):
        self.steps = 0
        return np.zeros(11)

    def step(self, action):
        self.steps += 1
        done = self.steps == 5 and action[0] > 0
        return np.full(11, self.steps, float), float(self.steps == 2), bool(done), {}


@pytest.fixture
def folders(tmp_path, monkeypatch):
    monkeypatch.setenv("D4RL_DATASET_DIR", str(tmp_path))
    monkeypatch.setenv("NEORL_DATASET_DIR", str(tmp_path))


def signs(*values):
    """A policy whose n-th action has the n-th sign."""
    queue = iter(values)
    return lambda observation: np.full(3, next(queue))


def test_terminals_and_timeouts_are_told_apart(folders):
    arrays = collect(Counter(), 16, 0, horizon=6, policy=signs(*[1] * 5, *[-1] * 6, *[1] * 5))
    np.testing.assert_array_equal(np.flatnonzero(arrays["terminals"]), [4, 15])
    np.testing.assert_array_equal(np.flatnonzero(arrays["timeouts"]), [10])
    np.testing.assert_array_equal(arrays["observations"][:, 0], [*range(5), *range(6), *range(5)])
    np.testing.assert_array_equal(arrays["next_observations"], arrays["observations"] + 1)

    write_d4rl(d4rl_path("hopper-random-v2"), arrays)
    dataset = load_dataset(get_task("d4rl_loco", "hopper-random-v2"))
    for key, value in arrays.items():
        np.testing.assert_array_equal(getattr(dataset, key), value, key)


def test_a_time_limit_of_gym_is_a_timeout():
    env = gym.wrappers.TimeLimit(Counter(), 4)
    arrays = collect(env, 12, 0, horizon=100)
    np.testing.assert_array_equal(np.flatnonzero(arrays["timeouts"]), [3, 7, 11])
    assert not arrays["terminals"].any()


def test_goals_are_terminals_that_end_nothing():
    arrays = goals_as_terminals(collect(Counter(), 12, 0, horizon=4))
    np.testing.assert_array_equal(np.flatnonzero(arrays["terminals"]), [1, 5, 9])
    np.testing.assert_array_equal(np.flatnonzero(arrays["timeouts"]), [3, 7, 11])


def test_a_neorl_file_holds_the_same_episodes(folders):
    arrays = collect(Counter(), 23, 0, horizon=5, policy=lambda observation: np.ones(3))
    arrays = {k: np.pad(v, [(0, 0), (0, 1)]) if "obs" in k else v for k, v in arrays.items()}
    write_neorl(neorl_path("Hopper-v3-low"), arrays)
    dataset = load_dataset(get_task("neorl", "Hopper-v3-low"))
    # the last episode is cut by the end of the file, which NeoRL's format calls its end
    np.testing.assert_array_equal(np.flatnonzero(dataset.terminals), [4, 9, 14, 19, 22])
    np.testing.assert_array_equal(dataset.observations, arrays["observations"])
    np.testing.assert_array_equal(dataset.rewards, arrays["rewards"])


@pytest.mark.parametrize(
    ("domain", "name"),
    [
        ("d4rl_loco", "hopper-random-v2"),
        ("d4rl_loco", "halfcheetah-random-v2"),
        ("d4rl_loco", "walker2d-random-v2"),
        ("neorl", "HalfCheetah-v3-low"),
        ("neorl", "Hopper-v3-low"),
        ("neorl", "Walker2d-v3-low"),
        ("adroit", "pen-human-v1"),
        ("adroit", "door-human-v1"),
        ("adroit", "hammer-human-v1"),
        ("antmaze", "antmaze-umaze-v2"),
    ],
)
def test_real_environments_fit_their_tasks(folders, domain, name):
    task = get_task(domain, name)
    env = make_env(domain, name)
    env.reset(seed=0)
    arrays = collect(env, 300, 0, horizon=100)
    env.close()
    if domain == "neorl":
        write_neorl(neorl_path(name), arrays)
    else:
        if domain == "antmaze":
            arrays = goals_as_terminals(arrays)
        write_d4rl(d4rl_path(name), arrays, next_observations=domain == "d4rl_loco")
    dataset = load_dataset(task)
    np.testing.assert_array_equal(dataset.observations, arrays["observations"])
    np.testing.assert_array_equal(dataset.rewards, arrays["rewards"] + task.reward_shift)

    tape = build_histories(
        dataset,
        100,
        stop_at_first_terminal=task.stop_at_first_terminal,
        ends_by_timeout_only=task.ends_by_timeout_only,
    )
    assert tape.start.sum() >= 3
    # imagined episodes end where real ones do; AntMaze's real goal is only near the rule's
    if domain != "antmaze":
        rule = jax.vmap(termination_fn(domain, name))
        ended = rule(arrays["observations"], arrays["actions"], arrays["next_observations"])
        np.testing.assert_array_equal(ended, arrays["terminals"])
        assert ended.any() == name.lower().startswith(("hopper", "walker2d", "pen"))
