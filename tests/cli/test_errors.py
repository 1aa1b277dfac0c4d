"""Users' mistakes end in one sentence and exit code 2, before anything is lost or overwritten."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from filelock import FileLock

from harness.process.free_memory import free_host_bytes
from tests.cli import programs
from tests.cli.in_process import fail, run
from tests.cli.programs import REPOSITORY, environment
from tests.cli.tiny import AGENT, MODEL, RUN


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("train.grad_stepz=5", "unknown key 'train.grad_stepz': did you mean 'train.grad_steps'?"),
        ("collect.unc_quantile=1.5", "collect.unc_quantile=1.5 is out of range"),
        ("collect.ensemble_size=5", "collect.ensemble_size=5 is more than the ensemble.total_size"),
        ("collect.parallel_size=5", "collect.parallel_size=5 is not a multiple"),
        ("train.batch_size=20001", "is more rows than train.buffer_size=20000 holds"),
        ("dataset_name=nope", "dataset_name=nope is no dataset of the pendulum"),
        ("wandb.mode=online", "wandb.mode=online needs a login"),
        ("load_agent_path=runs/a=1,b=2/agent", "load_agent_path=runs/a=1,b=2/agent does not"),
    ],
)
def test_the_configuration(tmp_path, argument, words):
    assert words in fail(tmp_path, "offline_cont.py", *AGENT, argument)
    assert list(tmp_path.iterdir()) == []


def sweep_errors(folder: Path, script: str, *arguments: str) -> list[str]:
    return failed_jobs(run(folder, script, "-m", *arguments))


def failed_jobs(result: subprocess.CompletedProcess) -> list[str]:
    """The sentence of each job of a sweep, all of which must fail."""
    assert result.returncode == 2, result.stdout + result.stderr
    assert "Traceback" not in result.stderr, result.stderr
    jobs = result.stdout.count("job ")
    sentences = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    # a sweep ends with one of its jobs' errors
    assert len(sentences) == jobs + 1, result.stderr
    return sentences[:-1]


def expect(sentences: list[str], *words: str) -> None:
    for sentence, expected in zip(sentences, words, strict=True):
        assert expected in sentence


ROWS = 60


def arrays(state_dim: int = 3) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    states = rng.normal(size=(ROWS + 1, state_dim)).astype(np.float32)
    return {
        "observations": states[:-1],
        "next_observations": states[1:],
        "actions": rng.uniform(-1, 1, (ROWS, 1)).astype(np.float32),
        "rewards": rng.normal(size=ROWS).astype(np.float32),
        "terminals": np.zeros(ROWS, bool),
        "timeouts": np.arange(1, ROWS + 1) % 20 == 0,
    }


def write(path: Path, changes: dict | None = None) -> None:
    with h5py.File(path, "w") as file:
        for key, array in (arrays() | (changes or {})).items():
            if array is not None:
                file[key] = array


def with_value(key: str, value: float) -> dict:
    array = arrays()[key].copy()
    array[7] = value
    return {key: array}


CUSTOM = (
    *("--config-name=base", "dataset_name=mine", "debug=true", "env.id=Pendulum-v1"),
    *("env.horizon=200", "env.ref_min=-1220", "env.ref_max=-150"),
)


def test_the_dataset(tmp_path):
    write(tmp_path / "keys.hdf5", {"timeouts": None})
    write(tmp_path / "lengths.hdf5", {"rewards": arrays()["rewards"][1:]})
    write(tmp_path / "nan.hdf5", with_value("observations", np.nan))
    write(tmp_path / "inf.hdf5", with_value("rewards", np.inf))
    write(tmp_path / "actions.hdf5", with_value("actions", 2.0))
    whole = (tmp_path / "nan.hdf5").read_bytes()
    (tmp_path / "cut.hdf5").write_bytes(whole[: len(whole) // 2])
    sentences = sweep_errors(
        tmp_path,
        "offline_world/cont_ensemble.py",
        "--config-path=../configs/custom",
        *CUSTOM,
        "env.dataset_path=none.hdf5,cut.hdf5,keys.hdf5,lengths.hdf5,nan.hdf5,inf.hdf5,actions.hdf5",
    )
    expect(
        sentences,
        "(none.hdf5) does not exist; correct env.dataset_path",
        "(cut.hdf5) is truncated or not an HDF5 file",
        "(keys.hdf5) lacks the arrays ['timeouts']; it has actions, next_observations",
        "(lengths.hdf5) has arrays of unequal lengths",
        "(nan.hdf5): 'observations' holds NaN or inf, first in row 7",
        "(inf.hdf5): 'rewards' holds NaN or inf, first in row 7",
        "(actions.hdf5): 'actions' leaves [-1, 1] in 1 of 60 rows (row 7)",
    )
    assert not (tmp_path / "offline_world/ckpt").exists()


OWN_ENVIRONMENT = """
import gymnasium
from gymnasium.envs.classic_control import PendulumEnv

class Unbounded(PendulumEnv):
    def __init__(self):
        super().__init__()
        self.action_space = gymnasium.spaces.Box(-float("inf"), float("inf"), (1,))

gymnasium.register("Unbounded-v0", entry_point=Unbounded)
"""


def test_the_environment(tmp_path):
    (tmp_path / "own_environment.py").write_text(OWN_ENVIRONMENT)
    write(tmp_path / "wide.hdf5", arrays(state_dim=4))
    result = programs.run(
        *(tmp_path, "offline_cont.py", "-m", "--config-path=configs/custom"),
        *CUSTOM,
        "env.dataset_path=wide.hdf5",
        "env.id=Pendulum-v1,own_environment:Unbounded-v0,Nothing-v0,CartPole-v1",
        PYTHONPATH=str(tmp_path),
    )
    expect(
        failed_jobs(result),
        "'observations' has 4 numbers a row but the environment's observations have 3",
        "env.id=own_environment:Unbounded-v0 has infinite action bounds",
        "env.id=Nothing-v0 with env.kwargs={} is not one that gymnasium can make",
        "env.id=CartPole-v1 has the action space Discrete(2)",
    )


def test_a_dataset_of_another_environment_shows_before_the_world_model_is_trained(tmp_path):
    write(tmp_path / "wide.hdf5", arrays(state_dim=4))
    write(tmp_path / "two.hdf5", {"actions": np.zeros((ROWS, 2), np.float32)})
    sentences = sweep_errors(
        tmp_path,
        "offline_world/cont_ensemble.py",
        "--config-path=../configs/custom",
        *CUSTOM,
        "env.dataset_path=wide.hdf5,two.hdf5",
    )
    expect(
        sentences,
        "'observations' has 4 numbers a row but the environment's observations have 3",
        "'actions' has 2 numbers a row but the environment's actions have 1",
    )


@pytest.mark.parametrize(
    ("domain", "dataset"), [("d4rl_loco", "hopper-random-v2"), ("neorl", "Hopper-v3-low")]
)
def test_a_published_dataset_that_is_not_here(tmp_path, domain, dataset):
    arguments = (f"--config-path=configs/{domain}", "--config-name=base")
    sentence = fail(tmp_path, "offline_cont.py", *arguments, f"dataset_name={dataset}")
    assert f"dataset {dataset} ({tmp_path}" in sentence and "does not exist" in sentence
    assert f"download it with `python get_all_datasets.py {dataset}`" in sentence


def test_agents_to_go_on_from(trained):
    agents = f"load_agent_path={MODEL},{RUN}/seed0,{RUN}/seed0/agent"
    # the names of run directories hold what Hydra would take for its own grammar
    (trained / "agents").symlink_to(trained / RUN)
    agents = agents.replace(RUN, "agents")
    sentences = sweep_errors(trained, "offline_cont.py", *AGENT, "model.num_critics=4", agents)
    expect(
        sentences,
        "does not exist or is no folder: give the `agent` folder",
        "has no saved agent: give the `agent` folder",
        "give the agent of a run with the same sizes",
    )


def test_members_that_the_world_model_does_not_have(trained):
    sizes = ("ensemble.total_size=8", "collect.ensemble_size=8", "collect.parallel_size=8")
    few = fail(trained, "offline_cont.py", *AGENT, *sizes)
    assert "collect.ensemble_size=8 is more than the 4 members of" in few
    plain = fail(trained, "offline_cont.py", *AGENT, "ensemble.has_ln=false")
    assert "was trained with has_ln=True, but ensemble.has_ln=False" in plain


def test_the_world_model_and_the_replay(trained):
    whole = (trained / MODEL).read_bytes()
    header, _, rest = whole.partition(b"\n")
    larger = json.dumps(json.loads(header) | {"hidden_size": 17}).encode()
    other_task = REPOSITORY / "tests/golden/ensemble_seed0.eqx"
    files = {
        "cut": whole[: len(whole) // 2],
        "foreign": b"PK\x03\x04 a zip file",
        "size": larger + b"\n" + rest,
        "task": other_task.read_bytes(),
        "none": None,
    }
    for name, content in files.items():
        if content is not None:
            file = trained / name / "pendulum-random-v1/ensemble_seed0.eqx"
            file.parent.mkdir(parents=True)
            file.write_bytes(content)
    saves = f"ensemble.save_dir={','.join(files)}"
    sentences = sweep_errors(trained, "offline_cont.py", *AGENT, saves)
    expect(
        sentences,
        "is truncated or damaged at",
        "is not a world model",
        "it is of another size",
        "it belongs to another dataset",
        "there is no world model none/pendulum-random-v1/ensemble_seed0.eqx: train it with",
    )
    short = fail(trained, "offline_cont.py", *AGENT, "train.batch_size=200")
    assert "train.batch_size=200 is shorter than an episode of 200 steps, which takes 201" in short


MOST_ROWS = 2**30
# 3 state, 1 action, reward and penalty floats, a byte of flags, half an int32 of tables
MOST_BYTES = (6 * 4 + 1 + 2) * MOST_ROWS


@pytest.mark.skipif(free_host_bytes() > MOST_BYTES, reason="this machine could hold it")
def test_a_replay_that_does_not_fit(trained):
    sentence = fail(trained, "offline_cont.py", *AGENT, f"train.buffer_size={MOST_ROWS}")
    needs = f"a replay of train.buffer_size={MOST_ROWS} rows needs {MOST_BYTES:,} bytes"
    assert needs in sentence and "give a smaller train.buffer_size" in sentence


def test_the_command_in_the_message_trains_the_missing_world_model(tmp_path):
    wanted = (
        *("ensemble.save_dir=my models", "ensemble.total_epochs=1"),
        *("ensemble.total_size=6", "collect.ensemble_size=3", "collect.parallel_size=6"),
    )
    first = run(tmp_path, "offline_cont.py", *AGENT, *wanted, "train.batch_size=300")
    assert first.returncode == 2, first.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"offline_world"}, "no run has begun"
    # in a folder of its own it works as printed, by the checkout's path
    command = first.stderr.split("`")[1]
    script = REPOSITORY / "offline_world/cont_ensemble.py"
    assert command.startswith(f"python {script} --config-path=../configs/")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        shlex.split(command),
        cwd=tmp_path,
        env=environment(tmp_path) | {"PATH": path},
        capture_output=True,
        check=True,
    )
    # the world model is found now: the next mistake is told
    again = fail(tmp_path, "offline_cont.py", *AGENT, *wanted, "load_agent_path=offline_world")
    assert "has no saved agent" in again


def test_the_run_directory(trained):
    changed = fail(trained, "offline_cont.py", *AGENT, "train.utd=0.5", f"run_dir={RUN}/seed0")
    assert "holds a run of another configuration (train.utd: 0.05 -> 0.5)" in changed
    with FileLock(trained / RUN / "seed0/lock"):
        busy = programs.fail(trained, "offline_cont.py", *AGENT)
    assert "is in use by a live process" in busy
    file = fail(trained, "offline_cont.py", *AGENT, f"run_dir={MODEL}")
    assert f"the run directory {MODEL} cannot be made (File exists)" in file
    stranger = fail(trained, "offline_cont.py", *AGENT, "run_dir=offline_world")
    assert "is not a run's directory" in stranger
    assert not (trained / "offline_world/lock").exists(), "nothing is left in others' folders"
