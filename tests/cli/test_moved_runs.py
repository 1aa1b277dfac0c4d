"""Finished runs that are moved, copied and asked for more, through the commands themselves."""

import json
import shutil

import numpy as np
import pytest

from harness.log.metrics_file import read_rows
from tests.cli import in_process
from tests.cli.programs import agent_arrays, succeed, timeless
from tests.cli.tiny import AGENT, MODEL, RUN, WORLD

SEED0 = f"{RUN}/seed0"


@pytest.fixture
def moved(trained, tmp_path):
    """All that was trained, in a folder of another name, as if renamed or copied elsewhere."""
    return shutil.copytree(trained, tmp_path / "renamed checkout (2)")


def test_a_moved_run_is_finished_and_its_records_are_not_touched(moved):
    before = (moved / SEED0 / "metrics.jsonl").stat()
    told = succeed(
        moved, "offline_cont.py", *AGENT, "wandb.project=other", "checkpoint.every_minutes=1"
    )
    assert f"{SEED0} is finished, score" in told
    assert (moved / SEED0 / "metrics.jsonl").stat() == before

    # the run alone, under another name; then it is asked for a copy of its agent
    (moved / SEED0).rename(moved / "größe=1, (final)")
    kept = ("save_agent=true", "save_agent_root=~/kept agents")
    told = succeed(
        moved, "offline_cont.py", *AGENT, "run_dir=~/größe=1, (final)", *kept, HOME=str(moved)
    )
    home = moved / "kept agents/größe=1, (final)"
    assert "(final) is finished, score" in told and f"agent kept in {home}" in told
    own, copy = agent_arrays(moved / "größe=1, (final)/agent"), agent_arrays(home)
    assert own.keys() == copy.keys() and len(own) > 20
    for name, array in own.items():
        np.testing.assert_array_equal(array, copy[name], name)

    told = succeed(moved, "evaluate.py", "größe=1, (final)", "--episodes", "2")
    assert "one per environment" in told and (moved / "größe=1, (final)/evaluation.json").exists()
    told = in_process.succeed(
        moved, "plot_results.py", "größe=1, (final)", f"{RUN}/seed1", "--out", "tables"
    )
    assert "| pendulum-random-v1 | recurrent | 2 |" in told


def test_a_world_model_is_put_back_from_its_run(moved):
    whole = (moved / MODEL).read_bytes()
    (moved / MODEL).unlink()
    # what only its agent uses neither names the run nor trains it again, nor is it refused
    told = succeed(
        moved, "offline_world/cont_ensemble.py", *WORLD, "collect.ensemble_size=64", "train.utd=1"
    )
    assert "is finished, best" in told and f"{MODEL} was gone: put back from" in told
    assert (moved / MODEL).read_bytes() == whole


def test_a_damaged_run_is_not_trained_over_and_a_restart_keeps_the_old_records(moved):
    whole = timeless(read_rows(moved / SEED0 / "metrics.jsonl"))
    shutil.rmtree(moved / SEED0 / "agent")
    sentence = in_process.fail(moved, "offline_cont.py", *AGENT)
    assert f"{SEED0} is finished, but agent is not there any more" in sentence
    told = succeed(moved, "offline_cont.py", *AGENT, "restart=true")
    assert f"the earlier records are in {SEED0}/earlier/1" in told and "score" in told
    for folder in (SEED0, f"{SEED0}/earlier/1"):
        assert timeless(read_rows(moved / folder / "metrics.jsonl")) == whole
    assert not (moved / SEED0 / "earlier/1/agent").exists()
    # the records set aside are no second run of seed 0
    told = in_process.succeed(moved, "plot_results.py", "runs/offline_cont", "--out", "tables")
    assert "| pendulum-random-v1 | recurrent | 2 |" in told
    again = in_process.fail(moved, "offline_cont.py", *AGENT, "run_dir=offline_world")
    assert "is not a run's directory" in again
    sentence = in_process.fail(moved, "offline_world/cont_ensemble.py", *WORLD, f"run_dir={SEED0}")
    assert "holds a run of offline_cont, not of cont_ensemble" in sentence
    finished = json.loads((moved / SEED0 / "finished.json").read_text())
    assert finished["files"] == ["agent"] and finished["objective"] == finished["figures"]["score"]
