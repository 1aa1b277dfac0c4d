"""Real environments with faults of every kind, given to the real commands."""

import pytest

from tests.cli.in_process import fail, run, succeed
from tests.cli.test_data import OWN, sound, write
from tests.cli.tiny import AGENT

MODEL = "offline_world/cont_ensemble.py"
FAULTY = "env.id=tests.experience.real.faulty:Faulty-v0"


@pytest.fixture
def data(tmp_path):
    write(tmp_path / "mine.hdf5", sound())
    return tmp_path


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("raises", "raised RuntimeError (the robot fell) in"),
        ("exit", "raised SystemExit (3) in"),
        ("huge", "returned the reward 1e+300, which is beyond float32"),
        ("far", "returned an observation with 1e+39 in dimension 1, which is beyond float32"),
        ("state", "returned an observation with inf in dimension 1 at step 1"),
        ("pair", "which is not one number"),
    ],
)
def test_a_fault_is_the_environment_s_before_the_world_model_is_trained(data, fault, words):
    own = ("env.dataset_path=mine.hdf5", FAULTY, f"+env.kwargs.fault={fault}")
    told = fail(data, MODEL, *OWN, *own)
    assert words in told and FAULTY in told
    assert not (data / "offline_world").exists() and not (data / "runs").exists()


def test_a_reward_of_one_number_in_an_array_is_that_number(data):
    own = ("env.dataset_path=mine.hdf5", FAULTY, "+env.kwargs.fault=column", "env.horizon=30")
    assert "world model" in succeed(data, MODEL, *OWN, *own, "ensemble.total_epochs=1")


def test_a_simulation_that_falls_apart(data):
    own = ("env.dataset_path=mine.hdf5", "env.id=tests.experience.real.faulty:Unstable-v0")
    told = fail(data, MODEL, *OWN, *own)
    assert "simulation of env.id=" in told and "became unstable" in told


@pytest.mark.parametrize("fault", ["huge", "state", "reward"])
def test_no_score_is_made_of_an_episode_that_leaves_the_numbers(trained, fault):
    faulty = (FAULTY, f"+env.kwargs={{fault:{fault},late:20}}", f"run_dir=late_{fault}")
    result = run(trained, "offline_cont.py", *AGENT, *faulty)
    assert result.returncode == 2
    sentence = result.stderr.splitlines()[-1]
    assert sentence.startswith(f"error: {FAULTY} returned") and "at step 20: correct" in sentence
    assert "learning rate" not in sentence and "no score is made of such an episode" in sentence
