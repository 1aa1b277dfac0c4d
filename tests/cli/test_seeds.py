"""`+seeds=[0,1]`: two runs in one process, each what its own command would have left.

Over the 120 updates of `trained`, whose runs alone are there already.
"""

import json
import signal

import numpy as np
import pytest

from harness.log.metrics_file import read_rows
from harness.run.records import read_settings
from tests.cli.programs import agent_arrays, succeed, timeless
from tests.cli.tiny import AGENT, RUN, WORLD
from tests.faults.fork_server import Program
from tests.logged_names import OURS_SIDE_BY_SIDE

MODELS, TASK = "offline_world/cont_ensemble.py", "pendulum-random-v1"
TOGETHER = (*AGENT, "+seeds=[0,1]")
#: Figures of a single gradient, in which rounding is what the figures' definition leaves of it.
ROUGH = ("_grad_norm", "_update_norm")


def assert_same_run(alone, beside):
    """All rows and figures, to rounding; and the same files of the same form."""
    one, other = (read_rows(run / "metrics.jsonl") for run in (alone, beside))
    assert set().union(*other) == set().union(*one) | OURS_SIDE_BY_SIDE
    one, other = timeless(one), timeless(other)
    assert [row["step"] for row in one] == [row["step"] for row in other]
    for row, same in zip(one, other, strict=True):
        assert row.keys() == same.keys()
        for name, value in row.items():
            tolerance = 1e-2 if name.endswith(ROUGH) else 1e-5
            assert same[name] == pytest.approx(value, rel=tolerance, abs=1e-6), (row["step"], name)
    one, other = (agent_arrays(run / "agent") for run in (alone, beside))
    assert one.keys() == other.keys()
    for name, array in one.items():
        # where a gradient is little but rounding, Adam's step is as long as elsewhere: weights may
        # part by one of the largest rate (train.critic_head_lr), which no figure above shows
        np.testing.assert_allclose(other[name], array, atol=1e-3, err_msg=name)
    for name in ("finished.json", "inputs.json"):
        one, other = (json.loads((run / name).read_text()) for run in (alone, beside))
        assert one.keys() == other.keys()
    one, other = (read_settings(run / "config.yaml") for run in (alone, beside))
    assert {k for k in one if one[k] != other[k]} <= {"run_root", "checkpoint.every_minutes"}
    # the shared run may have been looked at: evaluate.py, eval_values.py
    looked_at = {"evaluation.json", "episodes.csv", "values.json"}
    more = {"wandb", "wandb_id.txt", "earlier"} | looked_at
    files = [{path.name for path in run.iterdir()} - more for run in (alone, beside)]
    assert files[0] == files[1]


@pytest.mark.slow
def test_seeds_side_by_side_are_the_runs_that_they_would_be_alone(trained):
    told = succeed(trained, "offline_cont.py", *TOGETHER, "run_root=beside", WANDB_MODE="offline")
    assert "replay: 2 × 20," in told and told.count("score × 100") == 2
    for seed in (0, 1):
        alone = trained / RUN / f"seed{seed}"
        assert_same_run(alone, trained / "beside" / alone.relative_to(trained / "runs"))


def test_world_models_of_several_seeds_are_bit_for_bit_those_of_each_command(trained):
    where = ("run_root=beside_models", "ensemble.save_dir=beside_models")
    folder = trained / "beside_models"
    told = succeed(trained, MODELS, *WORLD, "+seeds=[0,1]", *where)
    for seed in (0, 1):
        name = f"ensemble_seed{seed}.eqx"
        alone = trained / f"offline_world/ckpt/pendulum_debug/{TASK}" / name
        assert f"world model beside_models/{TASK}/{name}" in told
        assert (folder / TASK / name).read_bytes() == alone.read_bytes()
    told = succeed(trained, MODELS, *WORLD, "+seeds=[1,0]", *where)
    assert told.count(" is finished, ") == 2


@pytest.mark.slow
def test_world_models_of_several_seeds_go_on_where_they_were_killed(trained):
    # seconds, so that a busy machine's signal finds the second seed still at work
    longer = (*WORLD, "ensemble.total_epochs=36", "checkpoint.every_minutes=1e-6")
    for seed in (0, 1):
        succeed(trained, MODELS, *longer, f"seed={seed}", "run_root=whole", "ensemble.save_dir=w")
    pieces = (*longer, "+seeds=[0,1]", "run_root=pieces", "ensemble.save_dir=p")
    for seed, number in ((0, signal.SIGKILL), (1, signal.SIGTERM)):
        program = Program(trained, MODELS, *pieces)

        def come(seed=seed):
            """Once the first rows of this seed's run are there."""
            # not below the runs, whose checkpoints come and go
            files = (trained / "pieces/cont_ensemble").glob(f"*/*/seed{seed}/metrics.jsonl")
            return any(file.read_bytes().count(b"\n") > 1 for file in files)

        assert program.stop_at(come, number), program.output.read_text()
        assert program.end() == (143 if number == signal.SIGTERM else -number)
    succeed(trained, MODELS, *pieces)
    for seed in (0, 1):
        whole, killed = (next((trained / r).rglob(f"*seed{seed}.eqx")) for r in ("w", "p"))
        assert whole.read_bytes() == killed.read_bytes()


@pytest.mark.slow
def test_markov_agents_side_by_side_are_those_that_they_would_be_alone(trained):
    arguments = (AGENT[0], "--config-name=base_markov", *AGENT[2:])
    succeed(trained, "offline_markov.py", "-m", *arguments, "seed=0,1", "run_root=markov")
    succeed(trained, "offline_markov.py", *arguments, "+seeds=[0,1]", "run_root=markov_beside")
    for run in (trained / "markov").rglob("seed?"):
        assert_same_run(run, trained / "markov_beside" / run.relative_to(trained / "markov"))


@pytest.mark.slow
def test_kills_and_signals_change_nothing_and_a_seed_may_be_finished_alone(trained):
    where = ("run_root=killed", "checkpoint.every_minutes=1e-6")
    runs = [trained / RUN.replace("runs", "killed", 1) / f"seed{seed}" for seed in (0, 1)]

    def rows():
        files = [run / "metrics.jsonl" for run in runs]
        return max(file.read_bytes().count(b"\n") if file.exists() else 0 for file in files)

    def stopped(number):
        """How the program ends that gets the signal after two more rows of one of its runs."""
        before = rows()
        program = Program(trained, "offline_cont.py", *TOGETHER, *where)
        assert program.stop_at(lambda: rows() >= before + 2, number), program.output.read_text()
        return program.end(), program.output.read_text()

    assert stopped(signal.SIGKILL)[0] == -signal.SIGKILL
    assert stopped(signal.SIGKILL)[0] == -signal.SIGKILL
    code, said = stopped(signal.SIGTERM)
    assert code == 143 and "stopped by SIGTERM, saved at steps " in said, said
    assert all((run / "checkpoint").is_dir() for run in runs)
    assert stopped(signal.SIGKILL)[0] == -signal.SIGKILL

    succeed(trained, "offline_cont.py", *AGENT, "seed=1", *where)
    told = succeed(trained, "offline_cont.py", *TOGETHER, *where)
    assert f"{runs[1].relative_to(trained)} is finished" in told
    assert f"continuing {runs[0].relative_to(trained)}" in told
    for seed, run in enumerate(runs):
        assert_same_run(trained / RUN / f"seed{seed}", run)
        environment = json.loads((run / "environment.json").read_text())
        assert len(environment["earlier_sessions"]) == 4
