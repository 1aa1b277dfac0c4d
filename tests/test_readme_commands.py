"""Every command of the published README starts, letter for letter."""

import shlex
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from experience.data.sources.d4rl_files import D4RL_URLS
from neorl.datasets import get_dataset
from offline_world.checkpoint import load_bandit_ensemble
from tests.cli.domain_data import write_dataset
from tests.cli.programs import REPOSITORY, fail, succeed
from tests.test_configs import PUBLISHED_COMMANDS

# the dataset behind each task that the commands name
TASKS = {
    "halfcheetah_medium_expert": "halfcheetah-medium-expert-v2",
    "Hopper_v3_low": "Hopper-v3-low",
    "pen_cloned": "pen-cloned-v1",
    "umaze": "antmaze-umaze-v2",
}
# export PYTHONPATH=${PWD}:${PYTHONPATH}, where the last was empty
PYTHON_PATH = f"{REPOSITORY}:"
BANDIT_COMMANDS = """
python offline_world/bandit_data.py
python offline_world/bandit_ensemble.py --seed 0
python offline_bandit.py seed=0
"""
ERROR_COMMANDS = """
python eval_error.py --config-path=configs/d4rl_loco --config-name=base dataset_name=halfcheetah-random-v2 +eval_dataset=medium-replay-v2 collect.unc_quantile=-1.0
python eval_error.py --config-path=configs/d4rl_loco --config-name=base_no_ln dataset_name=halfcheetah-random-v2 +eval_dataset=medium-replay-v2 collect.unc_quantile=-1.0
python plot_ln.py --train_dataset halfcheetah-random-v2 --eval_dataset medium-replay-v2
"""  # noqa: E501


def commands_of(text: str) -> list[list[str]]:
    """Script and arguments of each line."""
    return [shlex.split(line, comments=True)[1:] for line in text.strip().splitlines()]


def dataset_of(arguments: list[str]) -> str:
    words = dict(word.split("=", 1) for word in arguments if "=" in word)
    return words.get("dataset_name") or TASKS[words["task"]]


def file_of(dataset: str) -> str:
    if dataset in D4RL_URLS:
        return D4RL_URLS[dataset].rpartition("/")[2]
    return get_dataset(dataset).file_name


@pytest.mark.slow
def test_published_commands_start(tmp_path):
    """Without datasets on the disk, a program that starts asks for the one it needs."""
    commands = commands_of(PUBLISHED_COMMANDS)
    assert len(commands) == 23
    with ThreadPoolExecutor(2) as pool:
        sentences = list(pool.map(lambda command: fail(tmp_path, *command), commands))
    for command, sentence in zip(commands, sentences, strict=True):
        dataset = dataset_of(command)
        assert f"dataset {dataset} (" in sentence and file_of(dataset) in sentence, command
        assert f"`python get_all_datasets.py {dataset}`" in sentence


def test_a_published_command_with_the_published_python_path(tmp_path):
    told = succeed(tmp_path, "offline_world/bandit_data.py", PYTHONPATH=PYTHON_PATH)
    assert told.startswith("offline_world/data/bandit.npz: ")


@pytest.mark.slow
def test_published_bandit_commands(tmp_path):
    """Data and reward ensemble at full size; the agent, at its full size, for two updates."""
    data, ensemble, agent = commands_of(BANDIT_COMMANDS)
    succeed(tmp_path, *data)
    succeed(tmp_path, *ensemble)
    path = tmp_path / "offline_world/ckpt/bandit/ensemble_seed0.eqx"
    assert load_bandit_ensemble(path, 2).size == 128
    told = succeed(tmp_path, *agent, "train.grad_steps=2", "eval.times=1", "run_dir=run")
    assert "return" in told
    assert (tmp_path / "run/finished.json").exists()


@pytest.mark.slow
def test_published_commands_of_the_compounding_errors(tmp_path):
    """On few rows of the real environment and small world models."""
    for name in ("halfcheetah-random-v2", "halfcheetah-medium-replay-v2"):
        write_dataset(tmp_path, "d4rl_loco", name)
    # debug runs have folders of their own, unless their names are typed
    plots = "ensemble.plot_dir=plt/d4rl_loco"
    *errors, plot = commands_of(ERROR_COMMANDS)
    for command in errors:
        _, _, config_name, dataset, *_ = command
        world = ("--config-path=../configs/d4rl_loco", config_name, dataset, "debug=true")
        succeed(tmp_path, "offline_world/cont_ensemble.py", *world, PYTHONPATH=PYTHON_PATH)
        told = succeed(tmp_path, *command, "debug=true", plots, PYTHONPATH=PYTHON_PATH)
        assert "trajectories of halfcheetah-medium-replay-v2" in told
    folder = "plt/d4rl_loco/halfcheetah-random-v2/halfcheetah-medium-replay-v2"
    for name in ("with_LN", "without_LN"):
        with np.load(tmp_path / folder / f"{name}_seed0.npz") as arrays:
            assert set(arrays["engine"].flat) == {"mujoco"} and arrays["engine_version"].all()
    told = succeed(tmp_path, *plot, PYTHONPATH=PYTHON_PATH)
    for path in told.split():
        assert path.startswith(folder) and (tmp_path / path).stat().st_size > 0
    assert len(told.split()) == 7
