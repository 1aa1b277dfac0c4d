"""Real environments with faults are named before anything is trained, and in every evaluation."""

from contextlib import closing

import numpy as np
import pytest

from experience.real.evaluator import evaluate
from experience.real.probe import STEPS, probe
from experience.real.vector_env import make_vector_env
from harness.configuration.groups import EnvConfig
from harness.errors import UserError

ID = "tests.experience.real.faulty:Faulty-v0"


def in_full(words: str) -> str:
    """ENV stands for what messages call the environment."""
    return words.replace("ENV", f"env.id={ID}")


def config(fault: str, **settings) -> EnvConfig:
    return EnvConfig(id=ID, kwargs={"fault": fault, **settings})


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("constructor", r"making ENV .* raised KeyError \('no such file'\) in .*, line"),
        ("exit", r"making ENV .* raised SystemExit \(3\) in .*faulty.py, line"),
        (
            "huge",
            r"ENV returned the reward 1e\+300, which is beyond float32 .*, at step 1",
        ),
        ("far", r"an observation with 1e\+39 in dimension 1, which is beyond float32 .* at step 1"),
        ("reset", "ENV returned an observation with nan in dimension 0 at its reset"),
        ("old reset", r"reset of ENV does not return gymnasium's \(observation, info\)"),
        ("old step", r"step of ENV does not return gymnasium's \(observation, reward, t"),
        ("state", "ENV returned an observation with inf in dimension 1 at step 1"),
        ("reward", "ENV returned the reward nan at step 1"),
        ("shape", r"an observation of shape \(1, 3\) where its observation_space says \(3,\)"),
        ("pair", "step of ENV returned the reward array.* is not one number"),
        ("none", "step of ENV returned the reward None, which is not one number"),
        ("raises", r"step of ENV raised RuntimeError \(the robot fell\) in .*faulty.py"),
    ],
)
def test_faults_are_said_in_one_sentence(fault, words):
    with pytest.raises(UserError, match=in_full(words)) as caught:
        probe("custom", "mine", config(fault))
    assert "\n" not in str(caught.value)


def test_a_simulation_that_falls_apart_is_no_environment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # MuJoCo logs its warnings
    settings = EnvConfig(id="tests.experience.real.faulty:Unstable-v0", kwargs={})
    with pytest.raises(UserError, match="simulation of env.id=.*Unstable-v0 became unstable"):
        probe("custom", "mine", settings)


def test_a_sound_environment_tells_its_sizes():
    found = probe("custom", "mine", config("none at all"))
    assert (found.state_dim, found.action_dim, found.time_limit) == (3, 1, 30)
    np.testing.assert_array_equal([found.low, found.high], [[-2], [2]])


def test_a_reward_of_one_number_in_an_array_is_that_number():
    probe("custom", "mine", config("column"))


@pytest.mark.parametrize("fault", ["bytes", "fixed"])
def test_actions_of_whole_numbers_and_of_one_value(fault):
    from experience.wrapper import make_env

    probe("custom", "mine", config(fault))
    with closing(make_env("custom", "mine", config(fault))) as env:
        env.reset(seed=0)
        reached = []
        for action in (-1.0, 0.0, 1.0):
            env.step(np.float32([action]))
            reached.append(env.unwrapped.modern.unwrapped.action)
    wanted = [[0], [128], [255]] if fault == "bytes" else [[1], [1], [1]]
    np.testing.assert_array_equal(reached, wanted)
    assert all(action.dtype == (np.uint8 if fault == "bytes" else np.float32) for action in reached)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("state", f"ENV returned an observation with inf .* at step {STEPS + 3}"),
        ("reward", f"ENV returned the reward nan at step {STEPS + 3}"),
        ("raises", r"step of ENV raised RuntimeError"),
    ],
)
def test_a_fault_later_on_is_not_averaged_into_a_score(fault, words, workers):
    settings = config(fault, late=STEPS + 3)
    with (
        closing(make_vector_env("custom", "mine", 2, settings, workers=workers)) as envs,
        pytest.raises(UserError, match=in_full(words)),
    ):
        evaluate(
            lambda observation, start, memory: (np.zeros((2, 1)), memory),
            None,
            envs,
            horizon=30,
            first_action=np.zeros(1),
            reward_shift=0.0,
            score=float,
        )
