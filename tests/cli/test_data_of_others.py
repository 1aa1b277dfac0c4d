"""Files that say which environment they are of, given to the real commands of another one."""

import h5py
import pytest

from tests.cli.in_process import fail, run, succeed
from tests.cli.test_data import OWN, sound, write

MODEL = "offline_world/cont_ensemble.py"
CHEETAH = (
    *("--config-path=../configs/d4rl_loco", "--config-name=base", "debug=true"),
    *("dataset_name=halfcheetah-own-random-v2", "env.dataset_path=walker.hdf5"),
)


@pytest.fixture(scope="module")
def walker(tmp_path_factory):
    """Real rows of the walker, whose states and actions are as many as the cheetah's."""
    folder = tmp_path_factory.mktemp("robots")
    arguments = ("--episodes", "4", "--out", "walker.hdf5")
    succeed(folder, "make_dataset.py", "walker2d-own-random-v2", *arguments)
    return folder


def test_another_robot_s_rows_of_equal_sizes_are_refused(walker):
    told = fail(walker, MODEL, *CHEETAH)
    assert "(walker.hdf5) is of walker2d-" in told and "and not of halfcheetah-" in told
    assert "remove the attribute from the file" in told
    agent = (CHEETAH[0].replace("../", ""), *CHEETAH[1:])
    assert "(walker.hdf5) is of walker2d-" in fail(walker, "offline_cont.py", *agent)
    assert not (walker / "runs").exists() and not (walker / "offline_world").exists()


def test_the_robot_s_own_name_and_a_file_that_says_nothing_are_taken(walker):
    name = "dataset_name=walker2d-own-random-v2"
    own = (*CHEETAH, name, "ensemble.total_epochs=1", "run_dir=own")
    assert "world model" in succeed(walker, MODEL, *own)
    with h5py.File(walker / "walker.hdf5", "a") as file:
        was = file.attrs.pop("environment")
    # what it is then refused for is that its states are no cheetah's, if anything
    told = run(walker, MODEL, *CHEETAH, "ensemble.total_epochs=1", "run_dir=unknown")
    assert "is of walker2d" not in told.stderr and told.returncode == 0, told.stderr
    with h5py.File(walker / "walker.hdf5", "a") as file:
        file.attrs["environment"] = was


def test_environments_of_ones_own(tmp_path):
    write(tmp_path / "car.hdf5", sound())
    task = (*OWN, "env.dataset_path=car.hdf5", "ensemble.total_epochs=1")
    with h5py.File(tmp_path / "car.hdf5", "a") as file:
        file.attrs["environment"] = "Car-v0"
    told = fail(tmp_path, MODEL, *task)
    assert "(car.hdf5) is of Car-v0, as its attribute 'environment' says, and not of Pen" in told
    embedded = ("--config-path=../configs/pendulum", "--config-name=base", "debug=true")
    told = fail(tmp_path, MODEL, *embedded, "env.dataset_path=car.hdf5", "env.horizon=40")
    assert "is of Car-v0" in told and "not of Pendulum-v1" in told
    # registered by a module, the id is the same
    with h5py.File(tmp_path / "car.hdf5", "a") as file:
        file.attrs["environment"] = "Faulty-v0"
    own = ("env.id=tests.experience.real.faulty:Faulty-v0", "+env.kwargs.fault=none")
    told = run(tmp_path, MODEL, *task, *own)
    assert "is of Faulty-v0" not in told.stderr, told.stderr
    # an attribute of another kind says nothing
    with h5py.File(tmp_path / "car.hdf5", "a") as file:
        file.attrs["environment"] = [1.0, 2.0]
    assert "world model" in succeed(tmp_path, MODEL, *task)
