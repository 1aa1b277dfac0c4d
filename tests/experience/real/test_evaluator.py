"""Both evaluation protocols, on environments whose returns are known."""

import numpy as np
import pytest

from experience.real.evaluator import copy_seeds, evaluate, first_episodes
from experience.real.vector import AbstractVectorEnv, VectorStep
from experience.real.vector_env import make_vector_env
from harness.errors import UserError


class ScriptedEnvs(AbstractVectorEnv):
    """Copy c runs through episodes of lengths `script[c]`; its k-th step pays 10 c + k. In the
    copies `by_time` a time limit ends them."""

    def __init__(self, script, by_time=()):
        self.copies, self.state_dim, self.action_dim = len(script), 2, 3
        self._script = script
        self._by_time = np.isin(np.arange(self.copies), by_time)
        self.actions = []

    def reset(self, seeds):
        assert len(set(seeds)) == self.copies
        self._lengths = [iter(lengths) for lengths in self._script]
        self._left = [next(lengths) for lengths in self._lengths]
        self._step = np.zeros(self.copies, int)
        return self._state()

    def _state(self):
        return np.stack([np.arange(self.copies), self._step], axis=1).astype(np.float32)

    def goals(self):
        return None

    def step(self, action):
        self.actions.append(action)
        self._step += 1
        reached = self._state()
        reward = 10.0 * np.arange(self.copies) + self._step
        done = self._step == np.array(self._left)
        for copy in np.flatnonzero(done):
            self._left[copy] = next(self._lengths[copy])
            self._step[copy] = 0
        return VectorStep(
            observation=self._state(),
            reached=reached,
            reward=reward,
            done=done,
            timeout=done & self._by_time,
        )

    def close(self):
        pass


def counting_act(seen):
    """Its action is the number of its steps since `start`, which is what it remembers."""

    def act(observation, start, memory):
        seen.append((observation, start))
        memory = np.where(start, 1.0, memory + 1.0)
        return np.tile(memory[:, None], (1, 3)).astype(np.float32), memory

    return act


def run(script, horizon, by_time=(), **settings):
    seen = []
    arguments = {"reward_shift": 0.0, "score": float, **settings}
    result = evaluate(
        counting_act(seen),
        np.zeros(len(script)),
        ScriptedEnvs(script, by_time),
        horizon=horizon,
        first_action=np.float32([7, 8, 9]),
        **arguments,
    )
    return result, seen


def test_reference_counts_every_finished_episode_and_first_one_per_copy():
    # copy 0: episodes of 2 and 3 steps (returns 3, 6), the next unfinished; copy 1: one of 6
    result, _ = run([[2, 3, 9], [6, 9]], horizon=6, score=lambda returns: (returns - 1) / 10)
    returns = np.array([3.0, 6.0, 60.0 + 21.0])
    assert result.reference.episodes == 3
    assert result.reference.return_mean == pytest.approx(returns.mean())
    assert result.reference.return_std == pytest.approx(returns.std())
    assert result.reference.length_mean == pytest.approx(11 / 3)
    assert result.reference.score == pytest.approx((returns.mean() - 1) / 10)
    assert result.first.episodes == 2
    assert result.first.return_mean == pytest.approx((3 + 81) / 2)
    assert result.first.return_std == pytest.approx((81 - 3) / 2)
    assert result.first.length_mean == 4 and result.first.length_std == 2
    assert result.first.score == pytest.approx((42 - 1) / 10)
    assert result.trajectories is None and result.goals is None


def test_horizon_ends_an_episode_that_the_environment_would_go_on_with():
    result, _ = run([[50], [2, 50]], horizon=4)
    assert result.first.episodes == 2
    assert result.first.length_mean == 3
    assert result.reference.return_mean == pytest.approx((1 + 2 + 3 + 4 + 11 + 12) / 2)


def test_every_episode_is_told_with_its_seed_and_what_ended_it():
    result, _ = run([[2, 3, 9], [2, 9], [9]], horizon=6, by_time=[1], seed=5)
    found = [(e.copy, e.index, e.return_, e.length, e.timeout) for e in result.episodes]
    # what the horizon ends is a timeout too, what it cuts off is none
    assert found == [
        (0, 0, 3.0, 2, False),
        (0, 1, 6.0, 3, False),
        (1, 0, 23.0, 2, True),
        (2, 0, 141.0, 6, True),
    ]
    seeds = copy_seeds(5, 3)
    assert [episode.seed for episode in result.episodes] == [seeds[e.copy] for e in result.episodes]
    assert len(first_episodes(result.episodes)) == 3


def test_observation_holds_previous_action_and_shifted_reward():
    result, seen = run([[2, 9], [9]], horizon=4, reward_shift=-1.0)
    observations = np.stack([observation for observation, _ in seen])
    starts = np.stack([start for _, start in seen])
    assert observations.dtype == np.float32
    np.testing.assert_array_equal(starts.T, [[1, 0, 1, 0], [1, 0, 0, 0]])
    np.testing.assert_array_equal(
        observations[:, 0],
        [[0, 0, 7, 8, 9, 0], [0, 1, 1, 1, 1, 0], [0, 0, 7, 8, 9, 0], [0, 1, 1, 1, 1, 0]],
    )
    np.testing.assert_array_equal(observations[:, 1, -1], [0, 10, 11, 12])
    np.testing.assert_array_equal(observations[:, 1, 2], [7, 1, 2, 3])
    assert result.first.return_mean == pytest.approx((3 + 11 + 12 + 13 + 14) / 2)


def test_trajectories_are_the_first_episodes_with_their_final_states():
    result, _ = run([[2, 9], [9]], horizon=4, keep_trajectories=True)
    assert [path.tolist() for path in result.trajectories] == [
        [[0, 0], [0, 1], [0, 2]],
        [[1, 0], [1, 1], [1, 2], [1, 3], [1, 4]],
    ]


def test_a_policy_is_told_what_is_what_by_name():
    """Three arrays in another order of its own would pass for what they are not."""

    def act(memory, start, observation):
        return counting_act([])(observation, start, memory)

    def evaluated(act):
        return evaluate(
            act,
            np.zeros(1),
            ScriptedEnvs([[2, 3, 9]]),
            horizon=9,
            first_action=np.zeros(3),
            reward_shift=0.0,
            score=float,
        )

    assert evaluated(act).episodes == evaluated(counting_act([])).episodes


def test_action_that_is_not_finite_is_an_error():
    def act(observation, start, memory):
        return np.full((1, 3), np.nan), memory

    with pytest.raises(UserError, match="not finite"):
        evaluate(
            act,
            None,
            ScriptedEnvs([[5]]),
            horizon=3,
            first_action=np.zeros(3),
            reward_shift=0.0,
            score=float,
        )


def linear_act(observation, start, memory):
    """Wildly different actions in different states, the same in the same."""
    action = np.sin(37.0 * np.cumsum(observation, axis=1))
    return action[:, :memory].astype(np.float32), memory


def real_evaluation(envs, seed, horizon=40):
    return evaluate(
        linear_act,
        envs.action_dim,
        envs,
        horizon=horizon,
        first_action=np.zeros(envs.action_dim),
        reward_shift=-1.0,
        score=float,
        seed=seed,
        keep_trajectories=True,
    )


@pytest.mark.parametrize(
    ("domain", "name"),
    [
        ("antmaze", "antmaze-umaze-v2"),
        ("d4rl_loco", "hopper-medium-v2"),
        ("adroit", "pen-human-v1"),
    ],
)
def test_same_seed_same_numbers_for_any_number_of_workers(domain, name):
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    local = make_vector_env(domain, name, copies=3, workers=1)
    spread = make_vector_env(domain, name, copies=3, workers=2)
    try:
        first = real_evaluation(local, seed=4)
        np.random.random(5)
        other_seed = real_evaluation(local, seed=5)
        np.random.seed(0)
        again = real_evaluation(local, seed=4)
        in_workers = real_evaluation(spread, seed=4)
    finally:
        local.close()
        spread.close()
    assert first.reference == again.reference == in_workers.reference
    assert first.first == again.first == in_workers.first
    assert first.episodes == again.episodes == in_workers.episodes
    # a hopper falls long before its time
    assert [e.timeout for e in first_episodes(first.episodes)] == [domain != "d4rl_loco"] * 3
    for result in (again, in_workers):
        for path, other in zip(first.trajectories, result.trajectories, strict=True):
            np.testing.assert_array_equal(path, other)
        np.testing.assert_array_equal(first.goals, result.goals)
    assert not np.array_equal(first.trajectories[0], other_seed.trajectories[0])
    assert not np.array_equal(first.trajectories[0], first.trajectories[1])
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    if domain == "antmaze":
        assert len({tuple(goal) for goal in first.goals.tolist()}) == 3
    else:
        assert first.goals is None


def test_default_pool_and_user_mistake_in_workers():
    from harness.configuration.groups import EnvConfig
    from harness.errors import UserError

    with make_closing("pendulum", "p", copies=2) as envs:
        result = real_evaluation(envs, seed=0, horizon=200)
        assert result.first.length_mean == 200
    with pytest.raises(UserError, match="Discrete"):
        make_vector_env("custom", "m", 4, EnvConfig(id="CartPole-v1", kwargs={}), workers=2)


def make_closing(*args, **kwargs):
    from contextlib import closing

    return closing(make_vector_env(*args, **kwargs))


def test_workers_leave_signals_to_their_caller():
    """Ctrl-C and a cluster's SIGTERM reach the whole group: the evaluation still goes on."""
    import signal

    from experience.real.worker_pool import WorkerVectorEnv

    envs = WorkerVectorEnv("pendulum", "p", 2, None, "mujoco", workers=2)
    envs.reset([0, 1])  # answered, so they are past their start
    for process, _ in envs._workers:
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
    assert not envs.step(np.zeros((2, 1), np.float32)).done.any()
    workers = [process for process, _ in envs._workers]
    envs.close()
    assert [process.returncode for process in workers] == [0, 0]


def test_worker_that_dies_is_reported_and_workers_end_with_their_caller():
    from experience.real.worker_pool import WorkerVectorEnv

    envs = WorkerVectorEnv("pendulum", "p", 2, None, "mujoco", workers=2)
    envs.reset([0, 1])
    process, _ = envs._workers[0]
    other, _ = envs._workers[1]
    process.kill()
    process.wait()
    with pytest.raises(RuntimeError, match="environment process ended early"):
        envs.step(np.zeros((2, 1), np.float32))
    envs.close()
    assert other.returncode == 0
