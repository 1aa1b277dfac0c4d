"""The embedded task's data against the real pendulum and its description in the spec."""

import dataclasses

import gymnasium
import h5py
import numpy as np
import pytest

from experience.data.dataset import load_dataset
from experience.data.pendulum import PUMP, SPIN, make_pendulum_dataset, pendulum_dataset
from experience.histories import build_histories
from experience.tasks import get_task
from harness.configuration.groups import EnvConfig
from harness.errors import UserError

ENV = EnvConfig(id="Pendulum-v1", horizon=200, ref_min=-1220.0, ref_max=-150.0)


@pytest.fixture(scope="module")
def dataset():
    return pendulum_dataset()


def test_it_has_20000_rows_in_whole_episodes_without_terminals(dataset):
    assert dataset.rows == 20_000
    assert not dataset.terminals.any()
    np.testing.assert_array_equal(np.flatnonzero(dataset.timeouts), np.arange(199, 20_000, 200))
    np.testing.assert_array_equal(
        dataset.next_observations[:-1][~dataset.timeouts[:-1]],
        dataset.observations[1:][~dataset.timeouts[:-1]],
    )


def test_its_transitions_are_those_of_the_real_pendulum(dataset):
    env = gymnasium.make("Pendulum-v1").unwrapped
    env.reset(seed=0)
    for row in range(0, 20_000, 97):
        cosine, sine, speed = dataset.observations[row].astype(np.float64)
        env.state = np.array([np.arctan2(sine, cosine), speed])
        observation, reward, *_ = env.step(2 * dataset.actions[row])
        np.testing.assert_allclose(dataset.next_observations[row], observation, atol=1e-5)
        # at the bottom, rounding decides between the angles pi and -pi, whose costs are equal
        np.testing.assert_allclose(dataset.rewards[row], reward, atol=1e-4)


def test_its_torques_are_held_and_redrawn_uniformly(dataset):
    actions = dataset.actions.reshape(100, 200)
    changed = actions[:, 1:] != actions[:, :-1]
    assert abs(changed.mean() - 0.2) < 0.01
    drawn = np.concatenate([actions[:, 0], actions[:, 1:][changed]])
    assert np.abs(drawn).max() <= 1
    quantiles = np.quantile(drawn, [0.1, 0.25, 0.5, 0.75, 0.9])
    np.testing.assert_allclose(quantiles, [-0.8, -0.5, 0, 0.5, 0.8], atol=0.04)


def test_the_seed_decides_all_of_it(dataset):
    again, other = pendulum_dataset(seed=0), pendulum_dataset(seed=1)
    for key, value in dataset.arrays.items():
        np.testing.assert_array_equal(value, getattr(again, key), key)
    assert not np.array_equal(dataset.observations, other.observations)


def test_the_second_dataset_has_full_torques_mostly_along_the_motion(dataset, tmp_path):
    task = get_task(
        "pendulum", PUMP, dataclasses.replace(ENV, dataset_path=str(tmp_path / "pump.hdf5"))
    )
    pump = load_dataset(task)
    assert (np.abs(pump.actions) == 1).all()
    along = pump.actions[:, 0] == np.where(pump.observations[:, 2] >= 0, 1, -1)
    episodes = along.reshape(100, 200)
    assert 0.4 < along.mean() < 0.8
    assert abs((episodes[:, 1:] != episodes[:, :-1]).mean() - 0.02) < 0.005
    assert np.abs(pump.observations[:, 2]).mean() > np.abs(dataset.observations[:, 2]).mean() + 0.5


def test_the_third_dataset_is_wound_up_to_the_greatest_speed(dataset):
    spin = pendulum_dataset(SPIN)
    along = np.where(spin.observations[:, 2] >= 0, 1, -1)
    np.testing.assert_array_equal(spin.actions[:, 0], along)
    fastest = [(np.abs(d.observations[:, 2]) > 7.9).mean() for d in (dataset, spin)]
    assert fastest[0] < 0.05 and fastest[1] > 0.3


def test_a_missing_file_is_made_and_used_again(dataset, tmp_path):
    path = tmp_path / "new" / "pendulum.hdf5"
    env = dataclasses.replace(ENV, dataset_path=str(path))
    task = get_task("pendulum", "pendulum-random-v1", env)
    made = load_dataset(task)
    for key, value in dataset.arrays.items():
        np.testing.assert_array_equal(getattr(made, key), value, key)
    assert [file.name for file in path.parent.iterdir()] == ["pendulum.hdf5"]

    with h5py.File(path, "a") as file:
        file["rewards"][0] = -3.0
    assert load_dataset(task).rewards[0] == -3.0

    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(UserError, match="truncated .* delete it and it will be made again"):
        load_dataset(task)

    tape = build_histories(
        made,
        task.horizon,
        stop_at_first_terminal=task.stop_at_first_terminal,
        ends_by_timeout_only=False,
    )
    assert len(tape.start) == 100 * 201
    assert tape.next_truncated.sum() == 200  # the last step of each history and its final row


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path, dataset, monkeypatch):
    monkeypatch.setattr("experience.data.pendulum.pendulum_dataset", lambda *_: dataset)
    (tmp_path / "data").write_text("a file")
    with pytest.raises(UserError, match="pendulum.hdf5 could not be written"):
        make_pendulum_dataset(tmp_path / "data" / "pendulum.hdf5")
