"""Kills, signals, full disks and lost directories of real programs, which must end as if nothing
had been. Each test prints what it tried and what held (`pytest -m slow -s tests/faults`)."""

import itertools
import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.log import metrics
from harness.log.metrics_file import read_rows
from online_rl.schedule import Schedule
from tests.cli.programs import agent_arrays, timeless
from tests.cli.tiny import AGENT, WORLD
from tests.faults.fork_server import POLL_SECONDS, Program

pytestmark = pytest.mark.slow
OFTEN = "checkpoint.every_minutes=1e-6"
BANDIT = ("debug=true", "train.grad_steps=200", "eval.times=4", "seed=0")
MARKOV = (AGENT[0], "--config-name=base_markov", *AGENT[2:])
#: script → arguments, and how many rows it logs at least
PROGRAMS = {
    "offline_world/cont_ensemble.py": (*WORLD, "ensemble.total_epochs=16"),
    "offline_cont.py": AGENT,
    "offline_markov.py": MARKOV,
    "offline_bandit.py": BANDIT,
}
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """World models of the tiny task and of the bandit."""
    folder = tmp_path_factory.mktemp("faults")
    for script, arguments in (
        ("offline_world/cont_ensemble.py", WORLD),
        ("offline_world/bandit_data.py", ()),
        ("offline_world/bandit_ensemble.py", ("debug=true", "seed=0")),
    ):
        finish(Program(folder, script, *arguments))
    return folder


def finish(program: Program) -> str:
    assert program.end() == 0, program.output.read_text()
    return program.output.read_text()


def rows(run: Path) -> int:
    file = run / "metrics.jsonl"
    return file.read_bytes().count(b"\n") if file.exists() else 0


def moments(run: Path) -> Iterator[tuple[str, Callable[[], bool]]]:
    """Moments of a run's life: starting, between rows, inside saves, at its end."""
    checkpoints = run / "checkpoint"

    def logged(count):
        return lambda: rows(run) >= count

    def saving(after):
        """In the middle of a save, once some rows are there (a study's lie below)."""
        return lambda: (
            (rows(run) >= after or (run / "0_0").exists()) and any(checkpoints.glob("*.unfinished"))
        )

    def saved(count):
        return lambda: len(list(checkpoints.glob("*/manifest.json"))) >= count

    yield "config.yaml written", lambda: (run / "config.yaml").exists()
    yield "metrics.jsonl opened", lambda: (run / "metrics.jsonl").exists()
    yield "first row", logged(1)
    yield "first save", saving(1)
    yield "first checkpoint complete", saved(1)
    yield "second save", saving(3)
    yield "fifth row", logged(5)
    yield "two checkpoints complete", saved(2)
    yield "later save", saving(8)
    yield "tenth row", logged(10)
    yield "twelfth row", logged(12)
    yield "finished.json written", lambda: (run / "finished.json").exists()


@pytest.mark.parametrize("script", list(PROGRAMS))
def test_kills_at_every_moment_change_nothing(folder, script):
    name = Path(script).stem
    arguments = PROGRAMS[script]
    whole, run = folder / f"{name}_whole", folder / f"{name}_killed"

    def start(directory, *more):
        where = [f"run_dir={directory.name}"]
        if name == "cont_ensemble":
            where.append(f"ensemble.save_dir={directory.name}_models")
        return Program(folder, script, *arguments, *where, *more, WANDB_MODE="offline")

    finish(start(whole))
    tried = []
    if name == "offline_bandit":
        continue_after_signals(start, run, tried)
    for moment, come in moments(run):
        program = start(run, OFTEN)
        if program.stop_at(come, signal.SIGKILL):
            program.end()
            tried.append(moment)
        if (run / "finished.json").exists():
            break
    finish(start(run, OFTEN))
    print(f"\n{script}: {len(tried)} interruptions ({', '.join(tried)})", end="")
    assert_equal_ends(whole, run)
    print(", equal end", flush=True)
    assert not (run / "checkpoint").exists(), "what a finished run needs no more is cleared"
    sessions = [session.name for session in run.glob("wandb/offline-run-*")]
    assert len(sessions) > 5 and len({name.rpartition("-")[2] for name in sessions}) == 1
    assert len(tried) >= 10


def evaluations(run: Path) -> tuple[int, int]:
    """How many evaluations of a run of `AGENT` began and how many ended, as its rows tell; what
    begins after the last update they do not."""
    schedule, begun, told, evaluated = Schedule(120, 0.05, 4), 0, 0, -1
    for row in read_rows(run / "metrics.jsonl") if (run / "metrics.jsonl").exists() else []:
        told += metrics.SCORE in row
        if metrics.COLLECT_SECONDS in row and schedule.evaluation_due(row["step"], evaluated):
            begun, evaluated = begun + 1, row["step"]
    return begun, told


def test_an_evaluation_beside_training_is_made_again_after_a_kill(folder):
    slow = ("env.id=tests.experience.real.faulty:Faulty-v0", "+env.kwargs={fault:slow}")
    whole, run = folder / "evaluated_whole", folder / "evaluated_killed"

    def start(directory, beside):
        where = (OFTEN, f"eval.beside_training={beside}", f"run_dir={directory.name}")
        return Program(folder, "offline_cont.py", *AGENT, *slow, *where)

    finish(start(whole, beside=False))
    tried = 0
    for count in range(1, 5):
        file = run / "metrics.jsonl"
        before = file.stat().st_ino if file.exists() else None

        def come(count=count, file=file, before=before):
            # the rows are those of this process, and an evaluation is under way
            opened = file.exists() and file.stat().st_ino != before
            return opened and evaluations(run) == (count, count - 1)

        program = start(run, beside=True)
        tried += program.stop_at(come, signal.SIGKILL)
        program.end()
    finish(start(run, beside=True))
    assert_equal_ends(whole, run, in_order=lambda row: (row["step"], sorted(row)))
    print(f"\nevaluation beside training: {tried} kills in the midst of one, equal end")
    assert tried >= 3


def test_a_study_of_errors_goes_on(folder):
    """Killed after each of its first pieces, and the result is the same file."""
    arguments = (*AGENT[:3], "env.horizon=60", "checkpoint.every_minutes=1e-6")
    tried, files = 0, {}
    for name, kills in (("whole", 0), ("killed", 10)):
        where = (f"run_dir=errors_{name}", f"ensemble.plot_dir=errors_plots_{name}")
        model = f"ensemble.save_dir={folder}/offline_world/ckpt/pendulum_debug"
        for count in range(kills):
            program = Program(folder, "eval_error.py", *arguments, *where, model)
            pieces = folder / f"errors_{name}/pieces"
            come = lambda count=count, pieces=pieces: len(list(pieces.rglob("*.npz"))) > count  # noqa: E731
            tried += program.stop_at(come, signal.SIGKILL)
            program.end()
        finish(Program(folder, "eval_error.py", *arguments, *where, model))
        with np.load(next((folder / f"errors_plots_{name}").rglob("*.npz"))) as stored:
            files[name] = dict(stored)
    for key, array in files["whole"].items():
        np.testing.assert_array_equal(files["killed"][key], array, key)
    assert not (folder / "errors_killed/pieces").exists()
    print(f"\neval_error.py: {tried} kills, equal end")
    assert tried >= 10


def test_a_study_of_bandits_goes_on(folder):
    arguments = ("debug=true", "train.grad_steps=100", "eval.times=4", OFTEN)
    arguments += ("study.seeds=[0]", "study.penalties=[0.0,0.5]")
    script = "bandit_study.py"
    finish(Program(folder, script, *arguments, "run_dir=study_whole"))
    run, tried = folder / "study_killed", []
    for moment, come in moments(run / "0_0"):
        if "save" in moment or "checkpoint" in moment:
            # the study's own checkpoint is above its agents' directories
            come = next(come for name, come in moments(run) if name == moment)
        if moment.startswith("finished"):
            break
        program = Program(folder, script, *arguments, f"run_dir={run.name}")
        if program.stop_at(come, signal.SIGKILL):
            program.end()
            tried.append(moment)
    finish(Program(folder, script, *arguments, f"run_dir={run.name}"))
    for agent in ("0_0", "0.5_0"):
        assert_equal_ends(folder / "study_whole" / agent, run / agent)
    print(f"\n{script}: {len(tried)} kills ({', '.join(tried)}), equal end")
    assert len(tried) >= 8


def continue_after_signals(start, run: Path, tried: list[str]) -> None:
    """Each signal once: saved, said, and the conventional status."""
    for number in SIGNALS:
        before = rows(run)
        program = start(run, OFTEN)
        stopped = program.stop_at(lambda before=before: rows(run) > before, number)
        code = program.end()
        said = program.output.read_text()
        assert stopped and code == 128 + number, said
        assert f"stopped by {number.name}, saved at step" in said and "Traceback" not in said
        tried.append(number.name)


def assert_equal_ends(
    whole: Path, run: Path, in_order: Callable[[dict], Any] = lambda row: 0
) -> None:
    """Equal rows, sorted by `in_order` (as they come), and equal results."""
    rows = [timeless(read_rows(folder / "metrics.jsonl")) for folder in (whole, run)]
    assert sorted(rows[0], key=in_order) == sorted(rows[1], key=in_order)
    if (whole / "agent").exists():
        one, other = agent_arrays(whole / "agent"), agent_arrays(run / "agent")
        assert one.keys() == other.keys() and len(one) > 5
        for name, array in one.items():
            np.testing.assert_array_equal(array, other[name], name)
    else:
        one, other = (
            next(Path(f"{folder}_models").rglob("*.eqx")).read_bytes() for folder in (whole, run)
        )
        assert one == other
    assert json.loads((run / "finished.json").read_text())


@pytest.fixture
def disk(folder):
    """A small file system of its own below the folder, where this machine lets us make one."""
    path = folder / "disk"
    path.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(path)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this machine does not allow mounts")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


def sentence(program: Program) -> str:
    """What a program that cannot go on says last; nothing of Python's."""
    assert program.end() == 2, program.output.read_text()
    said = program.output.read_text()
    assert "Traceback" not in said, said
    return next(line for line in said.splitlines() if line.startswith("error: "))


def test_a_disk_that_fills_at_five_moments_loses_nothing(folder, disk):
    whole, run = folder / "disk_whole", disk / "run"
    finish(Program(folder, "offline_markov.py", *MARKOV, f"run_dir={whole.name}"))
    filler, held = disk / "filler", 0
    moments = (
        lambda: rows(run) >= 1,
        lambda: any((run / "checkpoint").glob("*.unfinished")),
        lambda: rows(run) >= 4,
        lambda: rows(run) >= 7 and any((run / "checkpoint").glob("*.unfinished")),
        lambda: rows(run) >= 9,
    )
    for come in moments:
        program = Program(folder, "offline_markov.py", *MARKOV, f"run_dir={run}", OFTEN)
        while program.running and not come():
            time.sleep(POLL_SECONDS)
        with filler.open("wb", buffering=0) as file:
            try:
                for size in itertools.chain([1 << 16] * 200, [1 << 9] * 500):
                    file.write(bytes(size))
            except OSError:
                pass
        if program.running:
            told = sentence(program)
            assert "the disk is full" in told, told
            held += 1
        filler.unlink()
    finish(Program(folder, "offline_markov.py", *MARKOV, f"run_dir={run}", OFTEN))
    assert_equal_ends(whole, run)
    print(f"\nfull disk: {held} moments, equal end")
    assert held >= 4


@pytest.mark.parametrize("kind", ["deleted", "moved", "read-only"])
def test_a_lost_run_directory_is_noticed_and_the_agent_rescued(folder, kind):
    run = folder / f"lost_{kind}"
    # longer than anyone waits
    arguments = (*MARKOV, f"run_dir={run}", OFTEN, "eval.times=1", "train.grad_steps=1000000")
    program = Program(folder, "offline_markov.py", *arguments, almighty=False)
    while program.running and rows(run) < 3:
        time.sleep(POLL_SECONDS)
    if kind == "deleted":
        shutil.rmtree(run, ignore_errors=True)
    elif kind == "moved":
        run.rename(folder / "elsewhere")
    else:
        (run / "checkpoint").mkdir(exist_ok=True)
        for directory in (run / "checkpoint", run):
            directory.chmod(0o555)
    told = sentence(program)
    assert "could not be written" in told, told
    said = program.output.read_text()
    place = Path(said.partition(" is rescued in ")[2].partition(":")[0])
    assert place.is_dir(), said
    again = ("run_dir=" + f"again_{kind}", f"load_agent_path={place}", "train.grad_steps=5")
    finish(Program(folder, "offline_markov.py", *MARKOV, *again, "eval.times=1"))
    shutil.rmtree(place)
    print(f"\nrun directory {kind}: noticed, agent rescued and loaded")
