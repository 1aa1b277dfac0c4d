"""The page about a dataset, with the uncertainty of a world model on it."""

import jax
import numpy as np
import pytest

from experience.data import own_file
from experience.data.dataset import load_dataset
from experience.data.rows import Dataset
from harness.errors import UserError
from offline_world.checkpoint import save_ensemble
from offline_world.modules import Ensemble
from programs import dataset_report
from programs.dataset_report import report, task_of


def write_walk(path, terminals):
    """400 rows in episodes of 20, every one that `terminals` does not end by timeout."""
    rng = np.random.default_rng(0)
    timeouts = np.arange(400) % 20 == 19
    states = rng.normal(size=(400, 3)).astype(np.float32)
    rows = Dataset(
        observations=states,
        actions=rng.uniform(-1, 1, (400, 1)).astype(np.float32),
        rewards=rng.normal(size=400).astype(np.float32),
        terminals=terminals,
        timeouts=timeouts & ~terminals,
        next_observations=np.roll(states, -1, axis=0),
    )
    own_file.write(path, rows, {})
    return path


@pytest.fixture
def file(tmp_path):
    return write_walk(tmp_path / "walk.hdf5", np.zeros(400, bool))


def test_how_rare_ends_are_in_what_is_learned(file, tmp_path):
    task, scored = task_of(str(file), 20, -10.0, 10.0)
    page, *_ = report(task, tmp_path / "out", scored=scored)
    assert "ends of episodes" not in page.read_text()
    task, scored = task_of(str(write_walk(file, np.arange(400) % 40 == 39)), 20, -10.0, 10.0)
    page, *_ = report(task, tmp_path / "out", scored=scored)
    # half of the episodes end so; of 0 + 1 + … + 20 rows before a rollout one is the last
    assert f"2.50% of the transitions are terminal, but {0.5 / 210:.2%}" in page.read_text()


def test_a_file_with_a_world_model(file, tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr(
        dataset_report, "load_dataset", lambda task: read.append(task) or load_dataset(task)
    )
    ensemble = Ensemble(2, 4, 4, 8, residual=3, key=jax.random.key(0))
    save_ensemble(tmp_path / "model.eqx", ensemble)
    task, scored = task_of(str(file), 20, -10.0, 10.0)
    paths = report(task, tmp_path / "out", scored=scored, world_model=tmp_path / "model.eqx")
    assert read == [task]
    assert sorted(path.suffix for path in paths) == [".md", ".npz", ".pdf", ".png"]
    page = (tmp_path / "out/walk.md").read_text()
    for word in (
        "400 rows in 20 episodes",
        "20 by timeout",
        "Effective rank",
        "walk.png",
        "| return",
    ):
        assert word in page
    with np.load(tmp_path / "out/walk.npz") as arrays:
        # rows that end an episode by timeout are not the world model's
        assert len(arrays["uncertainties"]) == 380 and (arrays["uncertainties"] > 0).all()
        assert len(arrays["outcome"]) == 20


def test_what_cannot_be_reported(file, tmp_path):
    with pytest.raises(UserError, match="neither"):
        task_of("hopper-mediun-v2", None, None, None)
    with pytest.raises(UserError, match="--horizon"):
        task_of(str(file), None, None, None)
    assert task_of("hopper-medium-v2", None, None, None)[1]
    task, scored = task_of(str(file), 20, None, None)
    assert not scored
    ensemble = Ensemble(2, 6, 5, 8, residual=4, key=jax.random.key(0))
    save_ensemble(tmp_path / "other.eqx", ensemble)
    with pytest.raises(UserError, match="size 4"):
        report(task, tmp_path / "out", world_model=tmp_path / "other.eqx")
    assert not (tmp_path / "out").exists()
