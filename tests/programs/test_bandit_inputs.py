"""What the bandit learns from may not change under it, through the real commands."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from harness.configuration.composition import load_config
from offline_world.bandit_dataset import BanditDataset, make_dataset, save_dataset
from offline_world.checkpoint import save_ensemble, stored_data
from programs.bandit_inputs import present_pulls
from tests.cli.in_process import fail, succeed
from tests.offline_world import golden_ensemble

WHERE = ("debug=true", "collect.data_path=my pulls.npz", "collect.save_dir=models")
MODEL = ("offline_world/bandit_ensemble.py", "--seed", "3", *WHERE)
AGENT = ("offline_bandit.py", "seed=3", *WHERE)


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """A finished reward ensemble and an agent of it, of pulls that the user made."""
    folder = tmp_path_factory.mktemp("own pulls")
    save_dataset(folder / "my pulls.npz", make_dataset(0))
    succeed(folder, *MODEL)
    succeed(folder, *AGENT)
    return folder


def test_finished_runs_know_their_pulls(learned):
    pulls = learned / "my pulls.npz"
    was = pulls.read_bytes()
    save_dataset(pulls, make_dataset(1))
    for command in (MODEL, AGENT):
        told = fail(learned, *command)
        assert "is finished, but my pulls.npz has changed since then (SHA-256 " in told
        assert "put the old one back, or give restart=true" in told
    # the same pulls in another file are the same
    same = make_dataset(0)
    save_dataset(pulls, BanditDataset(same.arms.reshape(1, -1), same.rewards.reshape(1, -1)))
    assert pulls.read_bytes() != was
    for command in (MODEL, AGENT):
        assert "is finished" in succeed(learned, *command)


def test_moved_runs_are_finished(learned, tmp_path):
    moved = shutil.copytree(learned, tmp_path / "renamed checkout (2)")
    for command in (MODEL, AGENT):
        (metrics,) = (moved / "runs" / Path(command[0]).stem).rglob("metrics.jsonl")
        before = metrics.read_bytes()
        assert "is finished" in succeed(moved, *command)
        assert metrics.read_bytes() == before
        # what a sweeper gets of it
        finished = json.loads((metrics.parent / "finished.json").read_text())
        assert np.isfinite(finished["objective"]) and str(moved) not in str(finished)


def test_an_agent_is_not_trained_on_the_ensemble_of_other_pulls(learned):
    save_dataset(learned / "others.npz", make_dataset(1))
    others = ("collect.data_path=others.npz", "run_dir=others")
    told = fail(learned, *AGENT, *others)
    assert "models/ensemble_seed3.eqx learned from other data than those of collect.data_pa" in told
    command = told.split("`")[1]
    assert "bandit_ensemble.py --seed 3 debug=true" in command and "restart=true" in command
    assert "'collect.data_path=others.npz' " not in command, "quoted only where it must be"
    assert "collect.data_path=others.npz" in command and "collect.save_dir=models" in command
    assert not (learned / "others").exists()
    study = ("bandit_study.py", "study.seeds=[3]", "study.penalties=[0]", *WHERE, others[0])
    assert "learned from other data" in fail(learned, *study)


def test_what_says_nothing_is_taken(learned):
    file = learned / "published/ensemble_seed3.eqx"
    save_ensemble(file, golden_ensemble.random(4, 2, 1, 16, residual=0, depth=2))
    assert stored_data(file) is None
    succeed(learned, *AGENT, "collect.save_dir=published", "run_dir=published_run")


def test_digests_are_of_the_rows_that_are_learned_from(tmp_path):
    pulls = make_dataset(0)
    others = np.where(np.arange(100) == 7, 1 - pulls.rewards, pulls.rewards)
    assert BanditDataset(pulls.arms, others).digest != pulls.digest
    assert BanditDataset(1 - pulls.arms, pulls.rewards).digest != pulls.digest
    config = load_config("offline_bandit", [f"collect.data_path={tmp_path}/none.npz"])
    assert present_pulls(config) == []
