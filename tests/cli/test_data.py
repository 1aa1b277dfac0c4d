"""docs/data.md's table through the real commands: what they say of data that loads."""

import h5py
import numpy as np

from neorl.datasets import get_dataset
from tests.cli import in_process
from tests.cli.programs import REPOSITORY, run
from tests.experience.walks import walks

EPISODES, STEPS = 15, 40
ROWS = EPISODES * STEPS
OWN = (
    *("--config-path=../configs/custom", "--config-name=base", "debug=true", "env.id=Pendulum-v1"),
    *("env.horizon=40", "env.ref_min=-1220", "env.ref_max=-150", "dataset_name=mine"),
)


def sound() -> dict[str, np.ndarray]:
    return walks(EPISODES, STEPS, 3)


def changed(**arrays) -> dict[str, np.ndarray]:
    return {key: array for key, array in (sound() | arrays).items() if array is not None}


def outside(value: float) -> np.ndarray:
    actions = sound()["actions"].copy()
    actions[7] = value
    return actions


LAST = sound()["timeouts"]
NO_FLAGS = np.zeros(ROWS, bool)
LATE = np.roll(LAST, 1)
#: file → its arrays, and what is said of it
REFUSED = {
    "goals": (
        changed(terminals=LAST, timeouts=NO_FLAGS),
        "env.termination=never does not end 15 of 15 terminal rows (first 39, 79, 119, 159, 199)",
    ),
    "endless": (
        changed(timeouts=NO_FLAGS),
        "so that episodes would be spliced; no row is marked as an end",
    ),
    "late": (changed(timeouts=LATE), "the ends are marked 1 row too late"),
    "early": (changed(timeouts=np.roll(LAST, -1)), "the ends are marked 1 row too early"),
    "late_without": (
        changed(timeouts=LATE, next_observations=None),
        "as the size of the next step shows, so that episodes would be spliced; the ends are",
    ),
    "one": (
        walks(1, ROWS, 3) | {"timeouts": NO_FLAGS},
        "all 600 rows are one episode, of which env.horizon=40 leaves 40 to the agent",
    ),
    "reset": (
        changed(
            terminals=LAST,
            timeouts=NO_FLAGS,
            next_observations=np.roll(sound()["observations"], -1, axis=0),
        ),
        "'next_observations' of 14 of 14 ends (first 39, 79, 119, 159, 199) is the next episode's",
    ),
    "masks": (changed(timeouts=~LAST), "'terminals' or 'timeouts' may hold masks"),
    "repeated": (
        changed(next_observations=sound()["observations"]),
        "'next_observations' repeats the row's observation in 100% of the rows",
    ),
    "rounding": (changed(actions=outside(1.05)), "cut them off with env.clip_actions=true"),
    "units": (changed(actions=outside(2.0)), "if this is the environment's own units: store 2"),
    "huge": (changed(rewards=np.full(ROWS, 1e39)), "is 1e+39 in row 0, which is beyond float32"),
    "elsewhere": (
        {f"data/{key}": array for key, array in sound().items()},
        "it has data/actions, data/next_observations, data/observations",
    ),
}


def write(path, arrays: dict) -> None:
    with h5py.File(path, "w") as file:
        for key, array in arrays.items():
            file[key] = array


def jobs(folder, variable: str, values, *arguments: str, **variables: str) -> list[str]:
    """The error of each job of a sweep of world-model trainings, all of which must be refused."""
    sweep = f"{variable}={','.join(values)}"
    script = "offline_world/cont_ensemble.py"
    result = run(folder, script, "-m", *OWN, *arguments, sweep, **variables)
    assert result.returncode == 2, result.stdout + result.stderr
    assert "Traceback" not in result.stderr, result.stderr
    # a sweep repeats the error that it ends with
    return [line for line in result.stderr.splitlines() if line.startswith("error: ")][:-1]


def test_what_cannot_be_meant_is_refused_before_anything_is_trained(tmp_path):
    for name, (arrays, _) in REFUSED.items():
        write(tmp_path / f"{name}.hdf5", arrays)
    told = jobs(tmp_path, "env.dataset_path", [f"{name}.hdf5" for name in REFUSED])
    for sentence, (name, (_, words)) in zip(told, REFUSED.items(), strict=True):
        assert sentence.startswith("error: dataset mine"), name
        assert words in sentence, (name, sentence)
    assert not (tmp_path / "offline_world/ckpt").exists()


FAULTS = {
    "constructor": "raised KeyError ('no such file') in",
    "reset": "returned an observation with nan in dimension 0 at its reset",
    "reward": "returned the reward nan at step 1",
    "old step": "step of env.id=tests.experience.real.faulty:Faulty-v0 does not return",
}


def test_an_environment_that_cannot_be_used_shows_before_the_world_model_is_trained(tmp_path):
    write(tmp_path / "sound.hdf5", sound())
    told = jobs(
        tmp_path,
        "+env.kwargs.fault",
        FAULTS,
        "env.dataset_path=sound.hdf5",
        "env.id=tests.experience.real.faulty:Faulty-v0",
        PYTHONPATH=str(REPOSITORY),
    )
    for sentence, words in zip(told, FAULTS.values(), strict=True):
        assert words in sentence
    assert not (tmp_path / "offline_world/ckpt").exists()


def test_what_may_be_meant_is_said_and_trained_on(tmp_path):
    terminals = LAST & (np.arange(ROWS) < ROWS // 2)
    write(tmp_path / "both.hdf5", changed(terminals=terminals, actions=outside(1.05)))
    allowed = ("env.allow_termination_mismatch=true", "env.clip_actions=true")
    result = run(
        tmp_path,
        "offline_world/cont_ensemble.py",
        *(*OWN, "env.dataset_path=both.hdf5", "ensemble.total_epochs=1", *allowed),
    )
    assert result.returncode == 0, result.stderr
    for note in (
        "note: dataset mine (both.hdf5): 7 of 600 rows (first 39, 79, 119, 159, 199) are in 'ter",
        "note: dataset mine (both.hdf5): actions clipped to [-1, 1] in 1 of 600 rows (row 7)",
        "transitions: 592 of the dataset's 600 rows (98.7%) can be learned from",
        "termination rule: ends 0 of 7 terminal rows and 0 of 593 others",
    ):
        assert note in result.stdout
    warnings = [line for line in result.stderr.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 1 and "env.termination=never does not end 7 of 7" in warnings[0]


class Payload:
    """Pickled: an order to make a file."""

    def __reduce__(self):
        return exec, ("open('opened', 'w')",)


def test_pickled_arrays_of_neorl_are_refused_and_never_opened(tmp_path):
    file = tmp_path / "neorl" / get_dataset("Hopper-v3-low").file_name
    file.parent.mkdir()
    np.savez(file, obs=np.array([Payload()] * 50, object), action=np.zeros((50, 3)))
    task = ("--config-path=../configs/neorl", "--config-name=base", "dataset_name=Hopper-v3-low")
    sentence = in_process.fail(tmp_path, "offline_world/cont_ensemble.py", *task)
    assert f"dataset Hopper-v3-low ({file}) holds pickled objects" in sentence
    assert "which are never loaded: they could run anything; get the published file" in sentence
    assert [path.name for path in tmp_path.iterdir()] == ["neorl"]


def test_hints_of_the_study_of_errors_are_for_ones_own_environment(tmp_path):
    write(tmp_path / "sound.hdf5", sound())
    own = (OWN[0].replace("../", ""), *OWN[1:], "env.dataset_path=sound.hdf5")
    result = in_process.run(
        tmp_path, "eval_error.py", "-m", *own, "+eval_dataset=null,b.hdf5,sound.hdf5"
    )
    assert result.returncode == 2 and "Traceback" not in result.stderr, result.stderr
    undecided, missing, untrained = result.stderr.splitlines()[:3]
    assert "add for example +eval_dataset=<another file in D4RL's layout, or env.data" in undecided
    assert "eval_dataset=b.hdf5 does not exist: give the path of an HDF5 file" in missing
    assert "there is no world model offline_world/ckpt/custom_debug/mine/" in untrained
    command = untrained.split("`")[1]
    assert "--config-path=../configs/custom" in command and "env.dataset_path=sound" in command
