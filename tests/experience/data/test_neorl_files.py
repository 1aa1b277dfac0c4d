"""NeoRL's npz files become datasets, and every kind of bad file a clear sentence."""

import numpy as np
import pytest

from experience.data.dataset import load_dataset
from experience.tasks import get_task
from harness.errors import UserError
from neorl.datasets import dataset_path

HOPPER = get_task("neorl", "Hopper-v3-low")


@pytest.fixture
def path(tmp_path, monkeypatch):
    """Where the file belongs."""
    monkeypatch.setenv("NEORL_DATASET_DIR", str(tmp_path))
    return dataset_path("Hopper-v3-low")


def neorl_arrays(lengths: list[int]) -> dict[str, np.ndarray]:
    """Episodes of these lengths; `index` holds all their first rows."""
    ends = np.cumsum(lengths)
    done = np.zeros((ends[-1], 1))
    done[ends - 1] = 1
    rows = np.ones((ends[-1], 12))
    return {
        "obs": rows,
        "action": rows[:, :3],
        "next_obs": rows,
        "reward": rows[:, :1],
        "done": done,
        "index": np.append([0], ends[:-1]).astype(np.float64),
    }


@pytest.mark.parametrize(
    "index", [[0, 30, 1030], [30, 1030], [30, 1030, 1040], [0, 30, 1030, 1040]]
)
def test_neorl_episodes_of_full_length_are_timeouts(path, index):
    content = {**neorl_arrays([30, 1000, 10]), "index": np.float64(index)}
    np.savez(path, **content)
    dataset = load_dataset(HOPPER)
    np.testing.assert_array_equal(np.flatnonzero(dataset.terminals), [29, 1039])
    np.testing.assert_array_equal(np.flatnonzero(dataset.timeouts), [1029])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"index": np.float64([0, 31, 50])}, "'done' and 'index' disagree .* first at row 30"),
        ({"index": np.float64([0, 30, 50, 55])}, "at row 55, which starts one only by 'index'"),
        ({"index": np.float64([0, 30])}, "at row 50, which starts one only by 'done'"),
        ({"done": np.full((60, 1), 0.5)}, "'done' is 0.5 in row 0; only 0 and 1"),
        ({"reward": np.full((60, 1), np.nan)}, "'reward' holds NaN or inf, first in row 0"),
        ({"next_obs": np.ones((60, 11))}, "'next_obs' has 11 numbers a row"),
        ({"obs": np.ones((59, 12))}, "unequal lengths .*'obs': 59"),
        ({"action": np.ones((60, 2))}, "'actions' has 2 numbers a row .* actions have 3"),
    ],
)
def test_a_contradictory_neorl_file_is_an_error(path, change, message):
    np.savez(path, **{**neorl_arrays([30, 20, 10]), **change})
    with pytest.raises(UserError, match=message):
        load_dataset(HOPPER)


def test_a_neorl_file_without_an_array_is_an_error(path):
    content = neorl_arrays([30, 20])
    del content["index"]
    np.savez(path, **content)
    with pytest.raises(UserError, match=r"lacks the arrays \['index'\]"):
        load_dataset(HOPPER)


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.99])
def test_a_damaged_neorl_file_is_an_error(path, kept):
    np.savez(path, **neorl_arrays([30, 20]))
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(UserError, match="truncated .* get_all_datasets.py Hopper-v3-low"):
        load_dataset(HOPPER)


def test_a_neorl_file_with_a_flipped_byte_is_an_error(path):
    np.savez(path, **neorl_arrays([30, 20]))
    content = bytearray(path.read_bytes())
    content[2000] ^= 255
    path.write_bytes(content)
    with pytest.raises(UserError, match="truncated or not an npz file"):
        load_dataset(HOPPER)


def test_pickled_objects_are_named_and_never_loaded(path):
    np.savez(path, **{**neorl_arrays([30, 20]), "obs": np.array([{}] * 50, object)})
    with pytest.raises(UserError, match="holds pickled objects .* which are never loaded"):
        load_dataset(HOPPER)


def test_rows_are_read_as_they_are(path):
    rng = np.random.default_rng(0)
    content = neorl_arrays([30, 20])
    for key in ("obs", "action", "next_obs", "reward"):
        content[key] = rng.uniform(-1, 1, content[key].shape)
    np.savez(path, **content)
    dataset = load_dataset(HOPPER)
    np.testing.assert_array_equal(dataset.observations, content["obs"].astype(np.float32))
    np.testing.assert_array_equal(dataset.actions, content["action"].astype(np.float32))
    np.testing.assert_array_equal(dataset.next_observations, content["next_obs"].astype(np.float32))
    np.testing.assert_array_equal(dataset.rewards, content["reward"][:, 0].astype(np.float32))
