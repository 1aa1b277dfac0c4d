"""Programs as users start them: exit codes, one-line errors, sweeps, signals, no stray files."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli import in_process
from tests.cli.programs import REPOSITORY

PROGRAM = """
import os, sys
from pathlib import Path
from harness.process import interrupts
from harness.configuration.schema import ContinuousConfig
from harness.entry import program
from harness.errors import UserError

jax_is_here = "jax" in sys.modules

@program("offline_cont", ContinuousConfig, default="pendulum/base", flags=("seed",))
def main(config, run):
    print("cache", os.environ["JAX_COMPILATION_CACHE_DIR"], "JAX is here:", jax_is_here)
    if config.seed == 2:
        raise UserError("seed 2 is unlucky: take another")
    if config.seed == 3:
        with interrupts.deferred() as stop:
            print("ready", flush=True)
            while not stop.requested:
                os.read(0, 1)
            (run.path / "saved").touch()
            stop.check()
    if config.seed == 4:
        raise ZeroDivisionError("a bug of ours")
    if config.seed == 5:
        print("ready", flush=True)
        os.read(0, 1)
    run.finish(score=0.5)
    print("seed", config.seed, config.domain, config.train.utd)

if __name__ == "__main__":
    main()
"""


@pytest.fixture
def folder(tmp_path):
    """A folder laid out as the repository, with a program at the top and one in a subfolder."""
    (tmp_path / "configs").symlink_to(REPOSITORY / "configs")
    (tmp_path / "offline_world").mkdir()
    for name in ("offline_cont.py", "offline_world/cont_ensemble.py"):
        (tmp_path / name).write_text(PROGRAM)
    return tmp_path


def environment(folder):
    own = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    return own | {"PYTHONPATH": str(REPOSITORY), "XDG_CACHE_HOME": str(folder / "cache")}


def end_of(folder, *arguments, script="offline_cont.py", **variables):
    """As `run`, in this process."""
    cache = {"XDG_CACHE_HOME": str(folder / "cache")}
    return in_process.run(folder, str(folder / script), *arguments, **cache, **variables)


def run(folder, *arguments, script="offline_cont.py", **variables):
    """In a process of its own, without the variables of JAX that the tests run with."""
    return subprocess.run(
        [sys.executable, script, *arguments],
        cwd=folder,
        env=environment(folder) | variables,
        capture_output=True,
        text=True,
    )


def files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_run_its_repetition_and_its_change(folder):
    before = files(folder)
    first = run(folder, "--seed", "1")
    assert first.returncode == 0, first.stderr
    assert "seed 1 pendulum 0.05" in first.stdout
    assert f"cache {folder}/cache/neubay-jax" in first.stdout
    assert "JAX is here: False" in first.stdout
    assert first.stderr == ""
    new = {name for name in files(folder) - before if not name.startswith("cache/")}
    where = "runs/offline_cont/pendulum-random-v1/default/seed1"
    names = ("config.yaml", "environment.json", "finished.json", "lock")
    assert new == {f"{where}/{name}" for name in names}

    again = end_of(
        folder, "seed=0", "--config-name", "base.yaml", "seed=1", "-cp", "configs/pendulum"
    )
    assert again.returncode == 0
    assert "is finished, score 50;" in again.stdout and "utd" not in again.stdout

    changed = run(folder, f"run_dir={where}", "seed=1", "train.utd=0.5")
    assert changed.returncode == 2
    assert changed.stderr.startswith("error: ") and changed.stderr.count("\n") == 1
    assert "train.utd: 0.05 -> 0.5" in changed.stderr


def test_a_path_may_hold_what_hydra_would_read_otherwise(folder):
    for typed, where in (
        ("~/my runs (old)/größe=1,b=2", "home/my runs (old)/größe=1,b=2"),
        ("[1e5] it's: #x", "[1e5] it's: #x"),
    ):
        result = end_of(folder, "seed=1", f"run_dir={typed}", HOME=str(folder / "home"))
        assert result.returncode == 0, result.stderr
        assert (folder / where / "finished.json").exists()
    rooted = end_of(folder, "seed=1", "run_root=~/a=b, c", HOME=str(folder / "home"))
    assert rooted.returncode == 0, rooted.stderr
    assert len(list((folder / "home/a=b, c").rglob("finished.json"))) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train.grad_step=5"], "unknown key 'train.grad_step': did you mean 'train.grad_steps'?"),
        (["train.lr=1"], "train.critic_head_lr"),
        (["train.utd=0"], "train.utd=0.0 is out of range"),
        (["seed=2"], "seed 2 is unlucky"),
        (["--config-name=bse"], "configs/pendulum: did you mean 'base'?"),
        (["--config-path=configs/nowhere", "--config-name=base"], "nowhere"),
        (["--config-path=configs", "--config-name=offline_bandit"], "BanditConfig"),
        (["seed=[1"], "seed=[1"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(folder, arguments, words):
    result = end_of(folder, *arguments)
    assert result.returncode == 2
    assert result.stderr.startswith("error: ") and words in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("seed: 1\nseed: 2\n", 'found duplicate key seed in "{}", line 2'),
        ("train: [1, 2\n", '{}", line 2'),
    ],
)
def test_a_file_that_is_not_yaml_is_named_with_the_line(folder, text, words):
    path = folder / "mine/base.yaml"
    path.parent.mkdir()
    path.write_text(text)
    result = end_of(folder, "--config-path=mine", "--config-name=base")
    assert result.returncode == 2
    assert result.stderr.startswith("error: ") and words.format(path) in result.stderr
    assert result.stderr.count("\n") == 1


def test_jax_is_set_right_or_the_mistake_is_told(folder):
    other = {"JAX_ENABLE_X64": "1", "JAX_PLATFORMS": "abacus"}
    result = run(folder, "seed=1", **other)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    note, *_, error = result.stderr.splitlines()
    assert note.startswith("note: JAX_ENABLE_X64 is ignored")
    assert error.startswith("error: JAX cannot use JAX_PLATFORMS=abacus (")


def test_published_paths_from_the_top_and_from_the_subfolder(folder):
    override = "dataset_name=Hopper-v3-low"
    for script, path in (
        ("offline_cont.py", "configs/neorl"),
        ("offline_world/cont_ensemble.py", "../configs/neorl"),
    ):
        result = end_of(
            folder,
            f"--config-path={path}",
            "--config-name=base_markov",
            override,
            f"run_root={Path(script).stem}",
            script=script,
        )
        assert result.returncode == 0, result.stderr
        assert "seed 0 neorl" in result.stdout


def test_a_sweep_goes_on_after_a_failed_job_and_fails_at_its_end(folder):
    result = run(folder, "-m", "seed=1,2", "train.utd=0.5,0.6")
    assert result.returncode == 2
    assert "job 3: seed=2 train.utd=0.6" in result.stdout
    assert result.stderr.count("error: seed 2 is unlucky: take another") == 3
    finished = {name for name in files(folder) if name.endswith("finished.json")}
    assert {name.split("/")[-3] for name in finished} == {"train.utd=0.5", "train.utd=0.6"}
    assert not (folder / "outputs").exists() and not (folder / "multirun").exists()
    assert not (folder / "multirun.yaml").exists()

    fine = end_of(folder, "-m", "seed=7,8")
    assert fine.returncode == 0 and "seed 8" in fine.stdout


def test_bugs_keep_their_traceback(folder):
    result = run(folder, "seed=4")
    assert result.returncode == 1
    assert "Traceback" in result.stderr and "a bug of ours" in result.stderr


@pytest.mark.parametrize(
    ("number", "seed"),
    [(signal.SIGINT, 3), (signal.SIGTERM, 5), (signal.SIGUSR1, 3), (signal.SIGHUP, 5)],
)
def test_signals_end_a_run_with_their_code(folder, number, seed):
    with subprocess.Popen(
        [sys.executable, "offline_cont.py", f"seed={seed}"],
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        try:
            while child.stdout.readline() != "ready\n":
                assert child.poll() is None
            child.send_signal(number)
            # The deferred program only looks after its read returns.
            _, errors = child.communicate("x", timeout=30)
        finally:
            child.kill()
    assert child.returncode == 128 + number
    *told, last = errors.splitlines()
    assert last == f"stopped by {number.name}"
    # the deferred program says that it has heard
    assert [line.split(",")[0] for line in told] == ["stopping at the next safe point"] * (
        seed == 3
    )
    where = folder / f"runs/offline_cont/pendulum-random-v1/default/seed{seed}"
    assert (where / "saved").exists() == (seed == 3)
    assert not (where / "finished.json").exists()
