"""Every dataset's environment under its own name."""

import gymnasium
import numpy as np
import pytest

from experience.environment_names import same_environment
from experience.tasks import DATASETS, get_task
from experience.wrapper import make_env
from harness.configuration.groups import EnvConfig
from harness.errors import UserError

NAMES = [(domain, name) for domain, names in DATASETS.items() for name in names]


def custom(env_id, **kwargs):
    return EnvConfig(id=env_id, kwargs=kwargs)


def test_all_33_datasets_are_covered():
    assert len(NAMES) == 33


@pytest.mark.parametrize(("domain", "name"), NAMES)
def test_make_env_for_every_name(domain, name):
    task = get_task(domain, name)
    env = make_env(domain, name)
    first = env.reset(seed=7)
    assert first.shape == env.observation_space.shape == (task.state_dim,)
    assert env.action_space.shape == (task.action_dim,)
    assert (env.action_space.low == -1).all() and (env.action_space.high == 1).all()
    observation, reward, done, info = env.step(np.zeros(task.action_dim, np.float32))
    assert observation.shape == (task.state_dim,)
    assert np.isfinite(reward) and done in (True, False) and isinstance(info, dict)
    np.testing.assert_array_equal(first, env.reset(seed=7))


@pytest.mark.parametrize(
    ("domain", "name"),
    [
        ("d4rl_loco", "halfcheetah-medium-v2"),
        ("neorl", "HalfCheetah-v3-low"),
        ("adroit", "hammer-cloned-v1"),
        ("adroit", "door-human-v1"),
        ("antmaze", "antmaze-umaze-v2"),
    ],
)
def test_full_length_episode_and_reproducible_resets(domain, name):
    """Tasks that never terminate on random actions end at the horizon, marked as cut off."""
    env = make_env(domain, name)
    horizon = get_task(domain, name).horizon

    def episode():
        actions = np.random.default_rng(0)
        states, rewards, done = [env.reset(seed=5)], [], False
        while not done:
            action = actions.uniform(-1, 1, env.action_space.shape).astype(np.float32)
            state, reward, done, info = env.step(action)
            states.append(state)
            rewards.append(reward)
        states.append(env.reset())
        return np.array(states), np.array(rewards), info

    states, rewards, info = episode()
    assert len(rewards) == horizon
    assert info["TimeLimit.truncated"] is True
    again, rewards_again, _ = episode()
    np.testing.assert_array_equal(states, again)
    np.testing.assert_array_equal(rewards, rewards_again)


@pytest.mark.parametrize(
    ("domain", "name"),
    [("d4rl_loco", "hopper-medium-v2"), ("neorl", "Walker2d-v3-low"), ("adroit", "pen-human-v1")],
)
def test_failing_ends_the_episode(domain, name):
    env = make_env(domain, name)
    env.reset(seed=0)
    actions = np.random.default_rng(0)
    steps, done = 0, False
    while not done:
        action = actions.uniform(-1, 1, env.action_space.shape).astype(np.float32)
        _, _, done, info = env.step(action)
        steps += 1
    assert steps < 100 and "TimeLimit.truncated" not in info


def test_d4rl_clips_actions():
    env = make_env("d4rl_loco", "hopper-medium-v2")
    env.reset(seed=0)
    beyond = env.step(np.full(3, 5.0, np.float32))
    env.reset(seed=0)
    at_bound = env.step(np.ones(3, np.float32))
    np.testing.assert_array_equal(beyond[0], at_bound[0])
    assert beyond[1] == at_bound[1]


def test_neorl_observation_holds_the_x_position():
    env = make_env("neorl", "Hopper-v3-low")
    env.reset(seed=0)
    for _ in range(5):
        observation, _, _, info = env.step(np.ones(3, np.float32))
    assert observation[0] == info["x_position"] != 0


def test_antmaze_goals_are_seeded_and_the_global_generator_is_left_alone():
    np.random.seed(123)
    before = np.random.get_state()
    env = make_env("antmaze", "antmaze-umaze-v2")
    env.reset(seed=3)
    goal = env.unwrapped.target_goal
    env.reset()
    second = env.unwrapped.target_goal
    after = np.random.get_state()
    assert before[2] == after[2] and (before[1] == after[1]).all()
    np.random.seed(9)
    env.reset(seed=3)
    assert env.unwrapped.target_goal == goal
    env.reset()
    assert env.unwrapped.target_goal == second != goal


@pytest.mark.parametrize(
    ("domain", "name"),
    [
        ("d4rl_loco", "hopper-medium-v2"),
        ("adroit", "pen-human-v1"),
        ("antmaze", "antmaze-umaze-v2"),
        ("pendulum", "p"),
    ],
)
def test_seeding_first_is_the_same_as_a_seeded_reset(domain, name):
    """The goal of AntMaze and the later episodes included, with any integer."""

    def episodes(env, first):
        states = [first, env.reset()]
        return np.array(states), getattr(env.unwrapped, "target_goal", None)

    env = make_env(domain, name)
    expected, goal = episodes(env, env.reset(seed=8))
    np.random.seed(1)
    assert env.seed(np.int64(8)) == [8]
    states, own_goal = episodes(env, env.reset())
    np.testing.assert_array_equal(states, expected)
    assert own_goal == goal
    assert env.seed() == [None]
    assert not np.array_equal(env.reset(), expected[0])


def test_the_rest_of_gyms_interface():
    """`return_info` and `options` of gym's reset; the time limit that d4rl's functions read."""
    env = make_env("d4rl_loco", "hopper-medium-v2")
    observation, info = env.reset(seed=4, return_info=True, options={"any": 1})
    np.testing.assert_array_equal(observation, env.reset(seed=4, return_info=False))
    assert info == {}
    limits = {
        ("d4rl_loco", "hopper-medium-v2"): 1000,
        ("neorl", "Hopper-v3-low"): 1000,
        ("adroit", "pen-human-v1"): 100,
        ("antmaze", "antmaze-umaze-v2"): 700,
        ("pendulum", "p"): 200,
    }
    for task, limit in limits.items():
        assert make_env(*task)._max_episode_steps == limit


def test_antmaze_leaves_no_files(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    make_env("antmaze", "antmaze-large-play-v2").reset(seed=0)
    assert not list(tmp_path.iterdir())


def test_custom_environment_is_gymnasiums_with_scaled_actions():
    modern = gymnasium.make("Pendulum-v1", g=9.0)
    expected, _ = modern.reset(seed=11)
    env = make_env("custom", "mine", custom("Pendulum-v1", g=9.0))
    np.testing.assert_array_equal(env.reset(seed=11), expected)
    for step in range(1, 201):
        action = np.float32([np.sin(step)])
        state, reward, terminated, truncated, _ = modern.step(2.0 * action)
        observation, own_reward, done, info = env.step(action)
        np.testing.assert_allclose(observation, state, atol=1e-6)
        assert own_reward == pytest.approx(reward, abs=1e-6)
        assert done == (terminated or truncated)
    assert step == 200 and info["TimeLimit.truncated"] is True
    np.testing.assert_array_equal(
        make_env("pendulum", "p").reset(seed=1),
        make_env("custom", "p", custom("Pendulum-v1")).reset(seed=1),
    )


class Unbounded(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-1, 1, (2,))
    action_space = gymnasium.spaces.Box(-np.inf, np.inf, (1,))


@pytest.fixture(scope="module", autouse=True)
def unbounded_environment():
    gymnasium.register("NeubayTestUnbounded-v0", entry_point=Unbounded)
    yield
    del gymnasium.registry["NeubayTestUnbounded-v0"]


@pytest.mark.parametrize(
    ("domain", "name", "env_config", "message"),
    [
        ("d4rl_locomotion", "hopper-medium-v2", None, "domain=d4rl_locomotion"),
        ("d4rl_loco", "hoper-medium-v2", None, "hopper-medium-v2"),
        ("d4rl_loco", "pen-human-v1", None, "adroit"),
        ("neorl", "Ant-v3-low", None, "Ant-v3-low"),
        ("custom", "mine", None, "env.id"),
        ("custom", "mine", custom(None), "env.id"),
        ("custom", "mine", custom("Nope-v1"), "env.id=Nope-v1"),
        ("custom", "mine", custom("nopackage:Nope-v1"), "nopackage"),
        ("custom", "mine", custom("Pendulum-v1", gravity=1.0), "gravity"),
        ("custom", "mine", custom("CartPole-v1"), "Discrete"),
        ("custom", "mine", custom("FrozenLake-v1"), "Discrete"),
        ("custom", "mine", custom("NeubayTestUnbounded-v0"), "infinite action bounds"),
    ],
)
def test_user_mistakes(domain, name, env_config, message):
    with pytest.raises(UserError, match=message):
        make_env(domain, name, env_config)


def test_builtin_environment_with_other_action_bounds(monkeypatch):
    """No published task has them; a changed d4rl could."""
    import gym

    make = gym.make

    def make_with_wide_actions(name):
        env = make(name)
        env.action_space = gym.spaces.Box(-2.0, 2.0, (3,), dtype=np.float32)
        return env

    monkeypatch.setattr(gym, "make", make_with_wide_actions)
    with pytest.raises(UserError, match="-2.0 to 2.0"):
        make_env("d4rl_loco", "hopper-medium-v2")


def test_datasets_of_one_environment_differ_in_level_only():
    assert same_environment("hopper-random-v2", "hopper-medium-expert-v2")
    assert same_environment("antmaze-umaze-v2", "antmaze-umaze-diverse-v2")
    assert same_environment("Hopper-v3", "Hopper-v3") and same_environment("Mine-v0", "Mine-v0")
    assert same_environment("Hopper-v3-low", "Hopper-v3")
    assert same_environment("my.module:Mine-v0", "Mine-v0")
    assert not same_environment("Walker2d-v3-low", "Hopper-v3")
    for other in ("walker2d-random-v2", "Hopper-v3", "hopper-random-v3"):
        assert not same_environment("hopper-random-v2", other)
    assert not same_environment("antmaze-medium-play-v2", "antmaze-large-play-v2")
