"""The published pair of commands in each domain, at reduced sizes, on data in the real layout."""

import json

import pytest

from harness import metrics
from harness.metrics_file import read_rows
from tests.cli.domain_data import write_dataset
from tests.cli.programs import succeed

SIZES = ("debug=true", "train.grad_steps=20", "seed=0")


def train(folder, domain, name, script, config_name, *overrides, wandb="disabled"):
    """Both programs of a domain; the agent's run directory."""
    write_dataset(folder, domain, name)
    world = (f"--config-path=../configs/{domain}", "--config-name=base", f"dataset_name={name}")
    told = succeed(folder, "offline_world/cont_ensemble.py", *world, *SIZES, *overrides)
    assert "world model offline_world/ckpt/" in told
    agent = (f"--config-path=configs/{domain}", f"--config-name={config_name}")
    agent = (*agent, *SIZES, f"dataset_name={name}", "run_dir=run")
    told = succeed(folder, script, *agent, WANDB_MODE=wandb)
    assert "score" in told
    rows = read_rows(folder / "run/metrics.jsonl")
    scores = [row for row in rows if metrics.SCORE in row]
    assert [row["step"] for row in scores][:1] == [0] and scores[-1]["step"] == 20
    engine = json.loads((folder / "run/environment.json").read_text())["engine"]
    assert engine == {"name": "mujoco", "version": engine["version"]} and engine["version"]
    for figure in (metrics.HORIZON_Q50, metrics.CRITIC_LOSS):
        assert any(row.get(figure) is not None for row in rows), figure
    return scores


def test_d4rl_locomotion(tmp_path):
    # medium-replay and human datasets have no cap on epochs: patience ends the training
    free = ("ensemble.total_epochs=null", "ensemble.max_epochs_since_update=1")
    scores = train(tmp_path, "d4rl_loco", "hopper-medium-v2", "offline_cont.py", "base", *free)
    assert all(1 <= row[metrics.TEST_LENGTH_MEAN] <= 1000 for row in scores)


@pytest.mark.slow
def test_neorl_with_the_markov_agent(tmp_path):
    train(tmp_path, "neorl", "Hopper-v3-low", "offline_markov.py", "base_markov")


@pytest.mark.slow
def test_adroit(tmp_path):
    scores = train(tmp_path, "adroit", "pen-human-v1", "offline_cont.py", "base")
    assert all(row[metrics.TEST_LENGTH_MEAN] <= 100 for row in scores)


@pytest.mark.slow
def test_antmaze_and_its_pictures(tmp_path):
    names = ("antmaze", "antmaze-umaze-v2", "offline_cont.py", "base")
    scores = train(tmp_path, *names, wandb="offline")
    # returns are 0 or 1 again, without the shift that the agent sees
    assert all(0 <= row[metrics.TEST_RETURN_MEAN] <= 1 for row in scores)
    pictures = {f"maze_step{row['step']:08d}.png" for row in scores}
    assert {path.name for path in (tmp_path / "run/plots").glob("maze*")} == pictures
    kept = (tmp_path / "run/wandb").glob("offline-run-*/files/media/images/plots/maze_*.png")
    assert len(list(kept)) == len(pictures)
