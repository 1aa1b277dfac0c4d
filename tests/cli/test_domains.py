"""The published pair of commands in each domain, at reduced sizes, on data in the real layout, and
a film of the agent where this machine can draw."""

import json
from ctypes.util import find_library

import pytest

from harness.log import metrics
from harness.log.metrics_file import read_rows
from tests.cli.domain_data import write_dataset
from tests.cli.programs import fail, succeed

SIZES = ("debug=true", "train.grad_steps=20", "seed=0")
RECURRENT = ("offline_cont.py", "base")
MARKOV = ("offline_markov.py", "base_markov")
FILM = ("evaluate.py", "run", "--episodes", "1", "--video", "film.mp4")


def train_world(folder, domain, name, *overrides):
    """The world model of a dataset that the real environment makes here."""
    write_dataset(folder, domain, name)
    world = (f"--config-path=../configs/{domain}", "--config-name=base", f"dataset_name={name}")
    told = succeed(folder, "offline_world/cont_ensemble.py", *world, *SIZES, *overrides)
    assert "world model offline_world/ckpt/" in told


def train_agent(folder, domain, choice, agent=RECURRENT, run="run", wandb="disabled"):
    """The agent's rows with a score, from the folder `run`; `choice` is a dataset or a task."""
    script, config_name = agent
    command = (f"--config-path=configs/{domain}", f"--config-name={config_name}", choice)
    told = succeed(folder, script, *command, *SIZES, f"run_dir={run}", WANDB_MODE=wandb)
    assert "score" in told
    rows = read_rows(folder / run / "metrics.jsonl")
    scores = [row for row in rows if metrics.SCORE in row]
    assert [row["step"] for row in scores][:1] == [0] and scores[-1]["step"] == 20
    engine = json.loads((folder / run / "environment.json").read_text())["engine"]
    assert engine == {"name": "mujoco", "version": engine["version"]} and engine["version"]
    for figure in (metrics.HORIZON_Q50, metrics.CRITIC_LOSS):
        assert any(row.get(figure) is not None for row in rows), figure
    return scores


def film(folder):
    """The agent's first episode, without a screen."""
    if find_library("EGL") or find_library("OSMesa"):
        assert "film.mp4" in succeed(folder, *FILM)
        assert (folder / "film.mp4").read_bytes()[4:8] == b"ftyp"
    else:
        assert "drawing needs a library" in fail(folder, *FILM)


@pytest.mark.slow
def test_d4rl_locomotion(tmp_path):
    # medium-replay and human datasets have no cap on epochs: patience ends the training
    free = ("ensemble.total_epochs=null", "ensemble.max_epochs_since_update=1")
    train_world(tmp_path, "d4rl_loco", "hopper-medium-v2", *free)
    scores = train_agent(tmp_path, "d4rl_loco", "dataset_name=hopper-medium-v2")
    assert all(1 <= row[metrics.TEST_LENGTH_MEAN] <= 1000 for row in scores)
    # a film needs a screen or a library: told before anything is played
    for backend, words in (
        ("glfw", "MuJoCo cannot draw here"),
        ("gl", "MuJoCo cannot be imported with MUJOCO_GL=gl"),
    ):
        sentence = fail(tmp_path, *FILM, MUJOCO_GL=backend, DISPLAY="", WAYLAND_DISPLAY="")
        assert words in sentence and "MUJOCO_GL" in sentence
    assert not (tmp_path / "run/evaluation.json").exists()
    film(tmp_path)


@pytest.mark.slow
def test_neorl_with_and_without_memory(tmp_path):
    train_world(tmp_path, "neorl", "Hopper-v3-low")
    train_agent(tmp_path, "neorl", "task=Hopper_v3_low")
    train_agent(tmp_path, "neorl", "dataset_name=Hopper-v3-low", MARKOV, run="markov")
    film(tmp_path)


@pytest.mark.slow
def test_adroit(tmp_path):
    train_world(tmp_path, "adroit", "pen-human-v1")
    scores = train_agent(tmp_path, "adroit", "dataset_name=pen-human-v1")
    assert all(row[metrics.TEST_LENGTH_MEAN] <= 100 for row in scores)
    film(tmp_path)


@pytest.mark.slow
def test_antmaze_and_its_pictures(tmp_path):
    train_world(tmp_path, "antmaze", "antmaze-umaze-v2")
    scores = train_agent(tmp_path, "antmaze", "task=umaze", wandb="offline")
    # returns are 0 or 1 again, without the shift that the agent sees
    assert all(0 <= row[metrics.TEST_RETURN_MEAN] <= 1 for row in scores)
    pictures = {f"maze_step{row['step']:08d}.png" for row in scores}
    assert {path.name for path in (tmp_path / "run/plots").glob("maze*")} == pictures
    kept = (tmp_path / "run/wandb").glob("offline-run-*/files/media/images/plots/maze_*.png")
    assert len(list(kept)) == len(pictures)
    film(tmp_path)
