"""Whole runs of the embedded task: what they leave, and that interruptions change nothing."""

import json
import shutil
import signal
import time

import numpy as np
import pytest

from harness.log import metrics
from harness.log.metrics_file import read_rows
from programs.scoring import score_seed
from tests.cli import in_process
from tests.cli.programs import agent_arrays, fail, start, succeed, timeless
from tests.cli.tiny import AGENT, RUN, WORLD
from tests.logged_names import PUBLISHED_RECURRENT

SEED0 = f"{RUN}/seed0"
STOPPING = "stopping at the next safe point, then saving; once more to stop at once\n"


def assert_same_agents(one, other):
    one, other = agent_arrays(one), agent_arrays(other)
    assert one.keys() == other.keys() and len(one) > 20
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name], name)


def test_a_sweep_leaves_a_complete_run_for_each_seed(trained):
    told = (trained / "told.txt").read_text()
    assert told.count("of the dataset's 20,000 rows (100.0%) can be learned from") == 2
    for seed in (0, 1):
        run = trained / RUN / f"seed{seed}"
        scored = [row for row in read_rows(run / "metrics.jsonl") if metrics.SCORE in row]
        # one is due after every 30 updates; a round's updates are not cut for it
        assert [row["count/eval_times"] for row in scored] == [0, 1, 2, 3, 4]
        last = scored[-1]
        assert last["step"] == 120
        score = f"score × 100: {100 * last[metrics.SCORE]:.1f} (reference protocol)"
        assert score in told and str(run.relative_to(trained)) in told
        finished = json.loads((run / "finished.json").read_text())
        assert finished["figures"]["score"] == last[metrics.SCORE]
        assert (run / "plots/learning.png").read_bytes().startswith(b"\x89PNG")
        assert json.loads((run / "environment.json").read_text())["versions"]["jax"]
        # the real wandb library, offline: its file holds the published names
        (stored,) = (run / "wandb").glob("offline-run-*/*.wandb")
        for name in PUBLISHED_RECURRENT - {"agent/loss_alpha"}:
            assert name.encode() in stored.read_bytes(), name
    one, other = (agent_arrays(trained / RUN / f"seed{seed}" / "agent") for seed in (0, 1))
    assert any((one[name] != other[name]).any() for name in one)


def test_a_finished_run_is_not_run_again(trained):
    before = (trained / SEED0 / "metrics.jsonl").stat()
    told = in_process.succeed(trained, "offline_cont.py", *AGENT)
    assert f"{SEED0} is finished, score" in told
    assert (trained / SEED0 / "metrics.jsonl").stat() == before


def interrupt(run, script, arguments, number, rows):
    """Start the program in the run directory, send it a signal once `rows` rows are logged, and
    wait for its end."""
    process = start(run.parent, script, *arguments, f"run_dir={run.name}")
    file = run / "metrics.jsonl"
    try:
        while not file.exists() or file.read_bytes().count(b"\n") < rows:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.005)
        process.send_signal(number)
        _, errors = process.communicate(timeout=120)
    finally:
        process.kill()
        process.wait()
    assert not (run / "finished.json").exists()
    return process.returncode, errors


def test_interruptions_change_no_number(trained):
    """Ctrl-C, SIGTERM and SIGKILL in one run, which ends as the run that nothing interrupted."""
    # A checkpoint after every few updates, so that the kill comes between two of them.
    run = trained / "interrupted"
    program = (run, "offline_cont.py", (*AGENT, "checkpoint.every_minutes=1e-6"))
    code, errors = interrupt(*program, signal.SIGINT, rows=3)
    assert code == 130 and errors.startswith(f"{STOPPING}stopped by SIGINT, saved at step ")
    code, errors = interrupt(*program, signal.SIGTERM, rows=7)
    assert code == 143 and errors.startswith(f"{STOPPING}stopped by SIGTERM, saved at step ")
    code, _ = interrupt(*program, signal.SIGKILL, rows=11)
    assert code == -signal.SIGKILL

    shutil.copytree(run, trained / "damaged")
    for file in (trained / "damaged/checkpoint").glob("*/manifest.json"):
        file.write_text(file.read_text()[:99])
    sentence = fail(trained, "offline_cont.py", *AGENT, "run_dir=damaged")
    assert "damaged/checkpoint/" in sentence
    assert "remove its folder to start this run again" in sentence
    logged = read_rows(trained / "damaged/metrics.jsonl")
    for folder in (trained / "damaged/checkpoint").glob("*-step*"):
        shutil.rmtree(folder)
    told = succeed(trained, "offline_cont.py", *AGENT, "run_dir=damaged")
    assert "no checkpoint to go on from: what was logged is now in damaged/earlier/1" in told
    assert read_rows(trained / "damaged/earlier/1/metrics.jsonl") == logged

    # the newest checkpoint is damaged: the one before leads to the same end
    # (of another one the kill may have left a part, which is named .unfinished)
    newest = max((run / "checkpoint").glob("*-step*[0-9]"))
    (newest / "state.npz").write_bytes((newest / "state.npz").read_bytes()[:999])
    told = succeed(trained, "offline_cont.py", *AGENT, "run_dir=interrupted")
    assert f"{newest.name} is damaged (state.npz has 999 bytes instead of" in told
    assert "continuing interrupted" in told
    whole, pieces = (
        timeless(read_rows(trained / run / "metrics.jsonl")) for run in (SEED0, "interrupted")
    )
    assert pieces == whole == timeless(read_rows(trained / "damaged/metrics.jsonl"))
    assert_same_agents(trained / SEED0 / "agent", trained / "interrupted/agent")
    assert not (trained / "interrupted/checkpoint").exists(), "gigabytes for nothing"
    environment = json.loads((trained / "interrupted/environment.json").read_text())
    assert len(environment["earlier_sessions"]) == 3


@pytest.mark.slow
def test_a_world_model_goes_on_where_its_training_was_killed(trained):
    longer = (*WORLD, "ensemble.total_epochs=12", "checkpoint.every_minutes=1e-6")
    script, run = "offline_world/cont_ensemble.py", trained / "interrupted_model"
    succeed(trained, script, *longer, "ensemble.save_dir=whole", "run_dir=whole_model")
    pieces = (*longer, "ensemble.save_dir=pieces")
    code, errors = interrupt(run, script, pieces, signal.SIGTERM, rows=2)
    assert code == 143 and errors.startswith(f"{STOPPING}stopped by SIGTERM, saved at epoch ")
    code, _ = interrupt(run, script, pieces, signal.SIGKILL, rows=5)
    assert code == -signal.SIGKILL
    told = succeed(trained, script, *pieces, f"run_dir={run.name}")
    assert "continuing interrupted_model" in told
    models = [next((trained / name).rglob("*.eqx")).read_bytes() for name in ("whole", "pieces")]
    assert models[0] == models[1]
    rows = [read_rows(trained / name / "metrics.jsonl") for name in ("whole_model", run.name)]
    assert timeless(rows[0]) == timeless(rows[1]) and len(rows[0]) == 12


def test_a_replay_in_host_memory_gives_the_same_numbers(trained):
    kept = ("save_agent=true", f"save_agent_root={trained / 'kept'}")
    notes = trained / "kept/host/notes"
    notes.mkdir(parents=True)
    told = succeed(trained, "offline_cont.py", *AGENT, "train.replay=host", "run_dir=host", *kept)
    assert "bytes (0.00 GiB) on the host" in told
    whole, host = (timeless(read_rows(trained / run / "metrics.jsonl")) for run in (SEED0, "host"))
    for one, other in zip(whole, host, strict=True):
        # the norm of a step, 1e-4, is a difference of weights, which float32 rounds by 6e-8
        assert one == pytest.approx(other, rel=1e-5, abs=1e-7, nan_ok=True)
    assert_same_agents(trained / "host/agent", trained / "kept/host")
    assert notes.exists(), "what others keep there is theirs"


@pytest.mark.slow
def test_a_replay_of_half_the_bytes_goes_on_and_may_be_in_host_memory(trained):
    half, run = (*AGENT, "train.replay_dtype=bfloat16"), trained / "half"
    halved = (*half, "checkpoint.every_minutes=1e-6")
    code, _ = interrupt(run, "offline_cont.py", halved, signal.SIGTERM, rows=5)
    assert code == 143
    sentence = fail(trained, "offline_cont.py", *AGENT, "run_dir=half")
    assert "(train.replay_dtype: bfloat16 -> float32)" in sentence
    assert "continuing half" in succeed(trained, "offline_cont.py", *half, "run_dir=half")
    succeed(trained, "offline_cont.py", *half, "train.replay=host", "run_dir=half_host")
    exact, pieces, host = (
        timeless(read_rows(trained / run / "metrics.jsonl")) for run in (SEED0, "half", "half_host")
    )
    for one, other in zip(pieces, host, strict=True):
        assert one == pytest.approx(other, rel=1e-5, nan_ok=True)
    assert any(
        one != pytest.approx(other, rel=1e-5, nan_ok=True)
        for one, other in zip(exact, pieces, strict=True)
    )


@pytest.mark.slow
def test_a_saved_agent_is_evaluated_and_trained_further(trained):
    # the environments' seed in a run's evaluation at step 0
    seed = score_seed(0, 0)
    told = succeed(trained, "evaluate.py", SEED0, "--seed", str(seed), "--video", "swing.mp4")
    assert (trained / "swing.mp4").stat().st_size > 1000
    record = json.loads((trained / SEED0 / "evaluation.json").read_text())
    assert record["one_episode_per_environment"]["episodes"] == 2
    score = record["reference_protocol"]["score"]
    low, high = record["reference_protocol"]["score_interval"]
    assert f"{100 * score:.1f} [{100 * low:.1f}, {100 * high:.1f}]" in told
    assert len((trained / SEED0 / "episodes.csv").read_text().splitlines()) == 3
    for flags in (("--episodes", "0"), ("--seed", "-1"), ("--episode", "x")):
        assert "is no whole number" in in_process.fail(trained, "evaluate.py", SEED0, *flags)

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
    (finished,) = (json.loads(file.read_text()) for file in run.glob("*/seed0/finished.json"))
    assert finished["files"] == ["agent"]
    assert finished["objective"] == finished["figures"]["score"]
