"""Sweeps on a real SLURM cluster, of one node: hydra/launcher=slurm, Hydra's submitit launcher."""

import json
import signal
import subprocess
import time

import pytest

from harness.log.metrics_file import read_rows
from tests.cli.programs import REPOSITORY, start, succeed, timeless
from tests.cli.test_runs import assert_same_agents
from tests.cli.tiny import AGENT, WORLD
from tests.launchers.slurm import Cluster, missing

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing()), reason=f"no SLURM here: {', '.join(missing())} missing"),
]
# this node has no card, and little memory
LAUNCHER = (
    *("hydra/launcher=slurm", "hydra.launcher.gpus_per_node=null", "hydra.launcher.mem_gb=null"),
    "hydra.launcher.cpus_per_task=1",
)
LONGER = (*AGENT, "train.grad_steps=1500")

PROGRAM = """
import os, time
from harness.configuration.schema import ContinuousConfig
from harness.entry import program
from harness.process.interrupts import deferred

@program("offline_cont", ContinuousConfig, default="pendulum/base")
def main(config, run):
    with deferred() as pending:
        (run.path / "begun").touch()
        while not pending.requested and not run.continued:
            time.sleep(0.05)
        pending.check(", saved at step 7")
    run.finish(objective=1.0)

if __name__ == "__main__":
    main()
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    cluster = Cluster(tmp_path_factory.mktemp("slurm"), grace=300)
    yield cluster
    cluster.stop()


@pytest.fixture
def sweep(cluster):
    """Begins sweeps; what a failed test leaves of them is gone before the next one."""
    begun = []

    def begin(*arguments, **variables):
        begun.append(Sweep(cluster, *arguments, **variables))
        return begun[-1]

    yield begin
    cluster.cancel()
    for each in begun:
        each.process.kill()
        each.process.communicate()


class Sweep:
    """A sweep of a program, as its command sees it and as SLURM does."""

    def __init__(self, cluster, folder, script, *arguments, **variables):
        self.cluster, self.folder = cluster, folder
        variables |= cluster.environment
        self.process = start(folder, script, "-m", *arguments, *LAUNCHER, **variables)

    def wait_until(self, come):
        for _ in range(6000):
            if come():
                return
            assert self.process.poll() is None, self.process.communicate()
            time.sleep(0.05)
        raise TimeoutError(self.cluster.log() + self.log())

    def state(self, job):
        return self.cluster.command("squeue", "--noheader", f"--jobs={job}", "--format=%T").strip()

    def begin_soon(self, job):
        """SLURM lets a requeued job wait for two minutes; its credentials need ten seconds."""
        self.wait_until(lambda: self.state(job) == "PENDING")
        self.cluster.command("scontrol", "update", f"jobid={job}", "starttime=now+10")
        self.wait_until(lambda: self.state(job) != "PENDING")

    def log(self):
        files = sorted(self.folder.rglob("*_log.out"))
        return "".join(file.read_text() for file in files)

    def end(self):
        try:
            out, err = self.process.communicate(timeout=300)
        except subprocess.TimeoutExpired:
            raise TimeoutError(self.cluster.log() + self.log()) from None
        return self.process.returncode, out, err


@pytest.mark.parametrize("how", ["near the limit", "by hand", "preempted", "cancelled"])
def test_a_job_that_slurm_stops_goes_on_unless_it_was_cancelled(cluster, sweep, tmp_path, how):
    (tmp_path / "program.py").write_text(PROGRAM)
    begun = sweep(tmp_path, tmp_path / "program.py", "seed=0", PYTHONPATH=str(REPOSITORY))
    run = tmp_path / "runs/offline_cont/pendulum-random-v1/default/seed0"
    begun.wait_until((run / "begun").exists)
    (job,) = cluster.command("squeue", "--noheader", "--format=%i").split()
    name = "SIGTERM"
    if how == "near the limit":
        # SLURM's warning, which it would give minutes before
        name = "SIGUSR2"
        cluster.command("scancel", f"--signal={name}", job)
    elif how == "by hand":
        cluster.command("scontrol", "requeue", job)
    elif how == "preempted":
        # it may use its five minutes of grace, but does not
        cluster.command(
            "sbatch", "--exclusive", "--partition=urgent", "--wrap=true", "--output=/dev/null"
        )
    else:
        cluster.command("scancel", job)
    begun.wait_until(lambda: f"stopped by {name}, saved at step 7" in begun.log())
    if how == "cancelled":
        begun.wait_until(lambda: not begun.state(job))
        record = cluster.command("scontrol", "show", "job", job)
        assert "JobState=CANCELLED" in record and "Restarts=0" in record
        begun.process.send_signal(signal.SIGINT)
        assert begun.end()[0] == 128 + signal.SIGINT
        return
    begun.begin_soon(job)
    code, out, err = begun.end()
    assert code == 0, err + begun.log()
    assert "/.submitit; this command waits for them" in out
    assert f"continuing {run.relative_to(tmp_path)}" in begun.log()
    assert "Traceback" not in begun.log() and (run / "finished.json").exists()


def test_a_preempted_agent_equals_an_uninterrupted_one(cluster, sweep, tmp_path):
    """One of a sweep's two jobs is requeued; the sweep given again finds both finished."""
    succeed(tmp_path, "offline_world/cont_ensemble.py", "-m", *WORLD, "seed=0,1")
    succeed(tmp_path, "offline_cont.py", *LONGER, "seed=0", "run_dir=whole", PJRT_NPROC="1")
    where = "runs/offline_cont/pendulum-random-v1"
    arguments = (*LONGER, "seed=0,1", "wandb.mode=offline")
    begun = sweep(tmp_path, "offline_cont.py", *arguments, WANDB_MODE="offline")

    def rows():
        return [file.read_text().count("\n") for file in tmp_path.glob(f"{where}/*/seed0/*.jsonl")]

    begun.wait_until(lambda: max(rows(), default=0) >= 10)
    jobs = cluster.command("squeue", "--noheader", "--format=%i %K").splitlines()
    job = next(line.split()[0] for line in jobs if line.split()[1] == "0")
    cluster.command("scontrol", "requeue", job)
    begun.begin_soon(job)
    code, _, err = begun.end()
    assert code == 0, err
    (run,) = tmp_path.glob(f"{where}/*/seed0")
    assert "stopped by SIGTERM, saved at step" in begun.log()
    assert_same_agents(tmp_path / "whole/agent", run / "agent")
    whole, pieces = (
        timeless(read_rows(folder / "metrics.jsonl")) for folder in (tmp_path / "whole", run)
    )
    assert pieces == whole
    assert len(json.loads((run / "environment.json").read_text())["earlier_sessions"]) == 1
    # two sessions of one run of wandb
    names = [path.name.rpartition("-")[2] for path in run.glob("wandb/offline-run-*")]
    assert names == 2 * [(run / "wandb_id.txt").read_text().strip()]

    again = sweep(tmp_path, "offline_cont.py", *arguments)
    code, _, err = again.end()
    assert code == 0, err
    assert begun.log().count(" is finished, score ") == 2
