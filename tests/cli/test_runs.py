"""Whole runs of the embedded task: what they leave, and that interruptions change nothing."""

import json
import signal
import time

import numpy as np
import pytest

from harness import metrics
from harness.metrics_file import read_rows
from programs.evaluation import evaluation_seed
from tests.cli.programs import agent_arrays, start, succeed, timeless
from tests.cli.tiny import AGENT, RUN

SEED0 = f"{RUN}/seed0"


def assert_same_agents(one, other):
    one, other = agent_arrays(one), agent_arrays(other)
    assert one.keys() == other.keys() and len(one) > 20
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name], name)


def test_a_sweep_leaves_a_complete_run_for_each_seed(trained):
    told = (trained / "told.txt").read_text()
    for seed in (0, 1):
        run = trained / RUN / f"seed{seed}"
        last = [row for row in read_rows(run / "metrics.jsonl") if metrics.SCORE in row][-1]
        assert last["step"] == 120
        score = f"score {last[metrics.SCORE]:.3f} (reference protocol)"
        assert score in told and str(run.relative_to(trained)) in told
        finished = json.loads((run / "finished.json").read_text())
        assert finished["figures"]["score"] == last[metrics.SCORE]
        assert (run / "plots/learning.png").read_bytes().startswith(b"\x89PNG")
        assert json.loads((run / "environment.json").read_text())["versions"]["jax"]
        # the real wandb library, offline: its file holds the published names
        (stored,) = (run / "wandb").glob("offline-run-*/*.wandb")
        for name in (b"test_envs/score", b"train_envs/horizon_q50", b"agent/loss_q"):
            assert name in stored.read_bytes()
    one, other = (agent_arrays(trained / RUN / f"seed{seed}" / "agent") for seed in (0, 1))
    assert any((one[name] != other[name]).any() for name in one)


def test_a_finished_run_is_not_run_again(trained):
    before = (trained / SEED0 / "metrics.jsonl").stat()
    told = succeed(trained, "offline_cont.py", *AGENT)
    assert f"{SEED0} is finished, score" in told
    assert (trained / SEED0 / "metrics.jsonl").stat() == before


def interrupt(folder, arguments, number, rows):
    """Start the program, send it a signal once `rows` rows are logged, and wait for its end."""
    process = start(folder, "offline_cont.py", *arguments)
    file = folder / "interrupted/metrics.jsonl"
    try:
        while not file.exists() or file.read_bytes().count(b"\n") < rows:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.005)
        process.send_signal(number)
        _, errors = process.communicate(timeout=120)
    finally:
        process.kill()
        process.wait()
    assert not (folder / "interrupted/finished.json").exists()
    return process.returncode, errors


def test_interruptions_change_no_number(trained):
    """Ctrl-C, SIGTERM and SIGKILL in one run, which ends as the run that nothing interrupted."""
    # A checkpoint after every few updates, so that the kill comes between two of them.
    arguments = (*AGENT, "run_dir=interrupted", "checkpoint.every_minutes=1e-6")
    code, errors = interrupt(trained, arguments, signal.SIGINT, rows=3)
    assert (code, errors) == (130, "stopped by SIGINT\n")
    code, errors = interrupt(trained, arguments, signal.SIGTERM, rows=7)
    assert (code, errors) == (143, "stopped by SIGTERM\n")
    code, _ = interrupt(trained, arguments, signal.SIGKILL, rows=11)
    assert code == -signal.SIGKILL
    told = succeed(trained, "offline_cont.py", *arguments)
    assert "continuing interrupted" in told
    whole, pieces = (
        timeless(read_rows(trained / run / "metrics.jsonl")) for run in (SEED0, "interrupted")
    )
    assert pieces == whole
    assert_same_agents(trained / SEED0 / "agent", trained / "interrupted/agent")
    environment = json.loads((trained / "interrupted/environment.json").read_text())
    assert len(environment["earlier_sessions"]) == 3


def test_a_replay_in_host_memory_gives_the_same_numbers(trained):
    kept = ("save_agent=true", f"save_agent_root={trained / 'kept'}")
    told = succeed(trained, "offline_cont.py", *AGENT, "train.replay=host", "run_dir=host", *kept)
    assert "bytes (0.00 GiB) on the host" in told
    whole, host = (timeless(read_rows(trained / run / "metrics.jsonl")) for run in (SEED0, "host"))
    for one, other in zip(whole, host, strict=True):
        assert one == pytest.approx(other, rel=1e-5, nan_ok=True)
    assert_same_agents(trained / "host/agent", trained / "kept/pendulum/pendulum-random-v1/seed0")


def test_a_saved_agent_is_evaluated_and_trained_further(trained):
    # the environments' seed in a run's evaluation at step 0
    seed = evaluation_seed(0, 0)
    told = succeed(trained, "evaluate.py", SEED0, "--seed", str(seed))
    record = json.loads((trained / SEED0 / "evaluation.json").read_text())
    assert record["one_episode_per_environment"]["episodes"] == 2
    score = record["reference_protocol"]["score"]
    assert f"{score:.3f}" in told

    succeed(trained, "offline_cont.py", *AGENT, f"load_agent_path={SEED0}/agent", "run_dir=further")
    untrained, further = (
        read_rows(trained / run / "metrics.jsonl")[0][metrics.SCORE] for run in (SEED0, "further")
    )
    assert further == pytest.approx(score, rel=1e-4) and untrained != pytest.approx(score, rel=1e-2)


def test_the_markov_agent(trained):
    arguments = (AGENT[0], "--config-name=base_markov", *AGENT[2:])
    told = succeed(trained, "offline_markov.py", *arguments, "eval.times=2")
    assert "score" in told
    run = trained / "runs/offline_markov/pendulum-random-v1"
    assert len(list(run.glob("*/seed0/agent"))) == 1
