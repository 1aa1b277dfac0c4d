"""States far from 0 keep their digits, and all others their units."""

import h5py
import numpy as np
import pytest

from experience.data.dataset import load_dataset
from experience.data.origin import find_origin, measured_from, own_units
from experience.tasks import get_task
from harness.configuration.groups import EnvConfig
from programs.world_data import WorldData

ROWS = 980


def write(folder, kind=np.float64, **changes):
    """A slow ramp, a wave and a constant, in one episode."""
    step = np.arange(ROWS + 1)
    states = np.stack([step * 1e-3, np.sin(step), np.full(len(step), 0.3)], 1)
    states = states + changes.pop("offset", 0.0)
    arrays = {
        "observations": states[:-1],
        "next_observations": states[1:],
        "actions": np.sin(step[:-1, None] / 7),
        "rewards": np.cos(step[:-1]),
        "terminals": np.zeros(ROWS),
        "timeouts": step[:-1] == ROWS - 1,
    }
    with h5py.File(folder / "mine.hdf5", "w") as file:
        for key, array in (arrays | changes).items():
            file[key] = np.asarray(array, kind)
    env = EnvConfig(dataset_path=str(folder / "mine.hdf5"), horizon=ROWS, ref_min=0.0, ref_max=1.0)
    return get_task("custom", "mine", env)


@pytest.mark.parametrize("offset", [1e8, -1e9, 1.7e9])
def test_an_offset_changes_nothing_but_the_origin(tmp_path, capsys, offset):
    plain = write(tmp_path)
    near = load_dataset(plain)
    assert near.origin is None
    expected = WorldData.from_dataset(near, plain).inputs
    far_task = write(tmp_path, offset=np.array([offset, 0.0, 0.0]))
    far = load_dataset(far_task)
    np.testing.assert_allclose(far.origin, [near.observations[:, 0].mean() + offset, 0, 0])
    np.testing.assert_array_equal(far.observations[:, 1:], near.observations[:, 1:])
    rows = WorldData.from_dataset(far, far_task)
    # float64 itself has steps of 1e-7 of this ramp's there
    np.testing.assert_allclose(rows.inputs, expected, atol=1e-5)
    assert len(np.unique(rows.inputs[:, 0])) == ROWS - 1
    np.testing.assert_allclose(
        own_units(far.observations, far.origin)[:, 0], offset + near.observations[:, 0], atol=1e-6
    )
    assert not capsys.readouterr().err


def test_what_float32_cannot_hold_is_told(tmp_path, capsys):
    """Steps of 1 beside a single jump of 1e9; a file of float32; rewards that are all alike."""
    jump = np.cumsum(np.r_[1e9, np.ones(ROWS)])
    jump[0] = 0.0
    states = np.stack([jump[:-1], np.ones(ROWS)], 1)
    following = np.stack([jump[1:], np.ones(ROWS)], 1)
    load_dataset(write(tmp_path, observations=states, next_observations=following))
    told = capsys.readouterr().err
    assert "differ in column 0 of 'observations'" in told and told.count("warning") == 1

    load_dataset(write(tmp_path, np.float32, offset=np.array([1e6, 0, 0])))
    told = capsys.readouterr().err
    assert "column 0 of 'observations' is stored as float32, whose steps of 0.0625" in told
    assert told.count("warning") == 1

    # a unix time, whose steps of 128 s in float32 leave a single value
    load_dataset(write(tmp_path, np.float32, offset=np.array([1.7e9, 0, 0])))
    told = capsys.readouterr().err
    assert "whose steps of 128 are coarse" in told and told.count("warning") == 1

    load_dataset(write(tmp_path, rewards=1e9 + np.cos(np.arange(ROWS))))
    assert "in column 0 of 'rewards'" in capsys.readouterr().err


def test_what_has_digits_enough_keeps_its_units():
    rng = np.random.default_rng(0)
    columns = [rng.normal(1000.0, 1.0, ROWS), rng.normal(size=ROWS), rng.integers(0, 2, ROWS)]
    states = np.stack([*columns, np.full(ROWS, 1e9)], 1)
    assert find_origin(states) is None
    assert find_origin(states.astype(np.float32)) is None
    assert find_origin(rng.integers(0, 2, (ROWS, 3)).astype(bool)) is None
    assert measured_from(states, None).dtype == np.float32
