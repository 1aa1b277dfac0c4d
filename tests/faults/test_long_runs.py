"""The bookkeeping of a run that lasts for days: what grows, and what must not.

20 000 logged rows and some 100 rounds, each with an evaluation, of the real program with tiny
networks, wandb offline and checkpoints every three seconds. Set LONG_RUN_PLOT=<file.png> to keep
the picture.
"""

import os
import threading
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from experience.replay import TapeReplay
from experience.tasks import get_task
from harness.configuration.composition import load_config
from harness.log.metrics_file import read_rows
from harness.run.opening import open_run
from online_rl import loop, schedule
from online_rl.builders import recurrent_agent
from programs.continuous import train_agents
from programs.ensemble_training import train_world_models
from programs.world_data import load_checked

pytestmark = pytest.mark.slow
ROWS, EVALUATIONS = 20_000, 100


def megabytes_in_memory() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.fixture(autouse=True)
def as_programs_run():
    """What the tests demand of our own numerics, optax does not promise."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


def test_nothing_but_the_records_grows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    # a row for every update, as many as the longest run logs
    monkeypatch.setattr(schedule, "SMALLEST_DISPATCH", 1)
    overrides = ["debug=true", f"train.grad_steps={ROWS}", "train.utd=0.4"]
    overrides += [f"eval.times={EVALUATIONS}", "checkpoint.every_minutes=0.05"]
    rounds: dict[str, list[float]] = {name: [] for name in ("time", "MB", "threads", "files")}
    collect = loop.Training._collect

    def watched(*arguments):
        rounds["time"].append(time.perf_counter())
        rounds["MB"].append(megabytes_in_memory())
        rounds["threads"].append(threading.active_count())
        rounds["files"].append(len(os.listdir("/proc/self/fd")))
        return collect(*arguments)

    monkeypatch.setattr(loop.Training, "_collect", watched)
    world = load_config("pendulum/base", [*overrides, "run_dir=model", "wandb.mode=disabled"])
    task = get_task(world.domain, world.dataset_name, world.env)
    with open_run("cont_ensemble", world) as run:
        train_world_models([world], [run], task, load_checked(world, task))
    config = load_config("pendulum/base", [*overrides, "run_dir=run", "wandb.mode=offline"])
    with open_run("offline_cont", config) as run:
        train_agents([config], [run], recurrent_agent, TapeReplay.sample_tape)
        size = run.metrics.stat().st_size
        wandb = sum(file.stat().st_size for file in run.path.rglob("*.wandb"))
        logged = read_rows(run.metrics)
    tell(rounds, len(logged), size, wandb)
    draw(rounds)
    assert len(logged) >= ROWS + EVALUATIONS and len(rounds["MB"]) >= 80

    late, middle = slice(-len(rounds["MB"]) // 4, None), slice(len(rounds["MB"]) // 4, None)
    growth = np.mean(rounds["MB"][late]) - rounds["MB"][middle][0]
    assert growth < 60, f"{growth:.0f} MB more at the end than after a quarter"
    # the writer of a checkpoint comes and goes
    assert max(rounds["threads"][late]) <= max(rounds["threads"][: len(rounds["MB"]) // 2]) + 1
    assert max(rounds["files"][late]) <= max(rounds["files"][: len(rounds["MB"]) // 2]) + 2


def tell(rounds, rows, size, wandb) -> None:
    seconds = np.diff(rounds["time"])
    quarters = np.array_split(np.arange(len(seconds)), 4)
    print(f"\n{rows} rows, {len(rounds['MB'])} rounds; metrics.jsonl {size / 1e6:.1f} MB,", end=" ")
    print(f"wandb {wandb / 1e6:.1f} MB")
    for name in ("MB", "threads", "files"):
        means = [round(float(np.take(rounds[name], q).mean()), 1) for q in quarters]
        print(f"{name} by quarter: {means}")
    print(f"seconds a round by quarter: {[round(float(seconds[q].mean()), 2) for q in quarters]}")


def draw(rounds) -> None:
    path = os.environ.get("LONG_RUN_PLOT")
    if path is None:
        return
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    figure, (upper, lower) = plt.subplots(2, 1, sharex=True, figsize=(6, 4))
    upper.plot(rounds["MB"])
    upper.set(ylabel="memory [MB]", ylim=(0, None))
    lower.plot(np.diff(rounds["time"]))
    lower.set(ylabel="seconds a round", xlabel="round", ylim=(0, None))
    figure.savefig(path, dpi=100)
