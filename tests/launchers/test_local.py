"""Jobs of a sweep side by side on this machine: hydra/launcher=local, Hydra's joblib launcher."""

import os
import signal
import subprocess
import sys
import time

import pytest

from harness.log.metrics_file import read_rows
from harness.process.reporting import reported_errors
from tests.cli.programs import REPOSITORY, succeed, timeless
from tests.cli.test_runs import assert_same_agents
from tests.cli.tiny import AGENT, RUN, WORLD

PROGRAM = """
import os, time
from pathlib import Path
from harness.configuration.schema import ContinuousConfig
from harness.errors import UserError
from harness.entry import program
from harness.process.interrupts import deferred

@program("offline_cont", ContinuousConfig, default="pendulum/base")
def main(config, run):
    if config.seed == 2:
        raise UserError("seed 2 is unlucky: take another")
    if config.seed == 3:
        raise ZeroDivisionError("a bug of ours")
    if config.seed >= 10:
        with deferred() as pending:
            (run.path / "ready").touch()
            while config.seed < 20 and not pending.requested:
                time.sleep(0.01)
            pending.check(", saved at step 7")
    if config.seed == 4:
        import jax
        jax.numpy.ones(3).block_until_ready()
        threads = [Path(task, "comm").read_text() for task in Path("/proc/self/task").iterdir()]
        (run.path / "threads").write_text("".join(threads))
    print("trained with", os.environ.get("OMP_NUM_THREADS"), end=" ")
    print("thread", flush=True)
    run.finish(objective=float(config.seed))

if __name__ == "__main__":
    main()
"""
RUNS = "runs/offline_cont/pendulum-random-v1/default"


@pytest.fixture
def start(tmp_path):
    """A function that starts a sweep over seeds of the program above, in another folder."""
    (tmp_path / "program.py").write_text(PROGRAM)

    def start(seeds, *arguments):
        command = ["program.py", "-m", f"seed={seeds}", "hydra/launcher=local", *arguments]
        return subprocess.Popen(
            [sys.executable, *command, "wandb.mode=disabled"],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    return start


def end(process):
    """Exit code, and the lines said on both streams."""
    out, err = process.communicate(timeout=120)
    return process.returncode, out.splitlines(), err.splitlines()


def test_a_sweep_goes_on_after_failures_and_a_search_repeats_no_finished_job(start, tmp_path):
    """On one core each, whatever the machine has."""
    code, out, err = end(start("0,2,3,4"))
    assert code == 2
    assert "[0] trained with 1 thread" in out and "[3] trained with 1 thread" in out
    assert "error: seed 2 is unlucky: take another" in err
    assert "ZeroDivisionError: a bug of ours" in err
    assert "error: job 2 ended with ZeroDivisionError: a bug of ours" in err
    threads = (tmp_path / RUNS / "seed4/threads").read_text().split()
    assert threads.count("tf_XLAEigen") == 1

    search = ("hydra/sweeper=optuna", "hydra/sweeper/sampler=grid", "hydra.sweeper.n_jobs=2")
    search += ("hydra.sweeper.direction=maximize", "hydra.sweep.dir=record")
    code, out, err = end(start("0,4,5", *search))
    assert code == 0, err
    for seed in (0, 4):
        assert any(f"{RUNS}/seed{seed} is finished" in line for line in out)
    assert sum("trained" in line for line in out) == 1
    assert "best_value: 5.0" in (tmp_path / "record/optimization_results.yaml").read_text()


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_jobs_that_are_asked_to_stop_save_and_none_begins_after_them(start, tmp_path, number):
    process = start("10,11,12,20,21,22", "hydra.launcher.n_jobs=2")
    for seed in (10, 11):
        while not (tmp_path / RUNS / f"seed{seed}/ready").exists():
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
    if number == signal.SIGINT:
        # a terminal's Ctrl-C reaches the jobs too
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    code, out, err = end(process)
    assert code == 128 + number, err
    assert err.count(f"error: stopped by {number.name}, saved at step 7") == 2, err
    assert not any("trained" in line for line in out)
    assert err[-1] == f"stopped by {number.name}, after its jobs"
    assert sorted(path.name for path in (tmp_path / RUNS).iterdir()) == ["seed10", "seed11"]


@pytest.mark.slow
def test_seeds_side_by_side_equal_seeds_one_by_one(tmp_path):
    local, two = "hydra/launcher=local", "hydra.launcher.n_jobs=2"
    succeed(tmp_path, "offline_world/cont_ensemble.py", "-m", *WORLD, "seed=0,1", local, two)
    told = succeed(tmp_path, "offline_cont.py", "-m", *AGENT, "seed=0,1", local, two)
    assert "[0] score" in told and "[1] score" in told
    for seed in (0, 1):
        alone, beside = tmp_path / f"alone{seed}", tmp_path / RUN / f"seed{seed}"
        succeed(tmp_path, "offline_cont.py", *AGENT, f"seed={seed}", local, f"run_dir={alone}")
        assert_same_agents(alone / "agent", beside / "agent")
        rows = [timeless(read_rows(run / "metrics.jsonl")) for run in (alone, beside)]
        assert rows[0] == rows[1]


def test_a_job_that_never_ended_is_a_sentence(capsys):
    class UncompletedJobError(RuntimeError):
        """As submitit's, which takes logging over when it is imported."""

        __module__ = "submitit.core.utils"

    with pytest.raises(SystemExit) as end, reported_errors():
        raise UncompletedJobError("Job 7 has not produced any output\n(state: CANCELLED)")
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("error: a job on the cluster did not end") and said.count("\n") == 1
    assert "(state: CANCELLED)" in said
