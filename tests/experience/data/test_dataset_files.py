"""HDF5 files become datasets, and every kind of bad file a clear sentence."""

import dataclasses

import h5py
import numpy as np
import pytest

from experience.data import own_file
from experience.data.dataset import check_dimensions, load_dataset
from experience.tasks import get_task
from harness.configuration.groups import EnvConfig
from harness.errors import UserError
from tests.experience.collect import write_d4rl

ROWS = 40


def arrays(state_dim: int = 11, action_dim: int = 3) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    observations = rng.normal(size=(ROWS + 1, state_dim)).astype(np.float32)
    ends = np.zeros(ROWS, dtype=bool)
    ends[[9, 24]] = True
    return {
        "observations": observations[:-1],
        "actions": rng.uniform(-1, 1, (ROWS, action_dim)).astype(np.float32),
        "rewards": rng.normal(size=ROWS).astype(np.float32),
        "terminals": ends,
        "timeouts": np.roll(ends, 3),
        "next_observations": observations[1:],
    }


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    monkeypatch.setenv("D4RL_DATASET_DIR", str(tmp_path / "d4rl"))
    monkeypatch.setenv("NEORL_DATASET_DIR", str(tmp_path / "neorl"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


HOPPER = get_task("d4rl_loco", "hopper-medium-v2")
HOPPER_FILE = "d4rl/hopper_medium-v2.hdf5"
CUSTOM = get_task(
    "custom",
    "mine",
    EnvConfig(dataset_path="mine.hdf5", horizon=20, ref_min=0.0, ref_max=1.0),
)


def equal(dataset, expected):
    for key, value in vars(dataset).items():
        if expected.get(key) is None:
            assert value is None
        else:
            np.testing.assert_array_equal(value, expected[key], key)
            assert value.dtype == (bool if key in ("terminals", "timeouts") else np.float32)


def test_a_d4rl_file_is_read_as_it_is(folders):
    write_d4rl(folders / HOPPER_FILE, arrays())
    equal(load_dataset(HOPPER), arrays())


def test_adroit_files_have_no_next_observations(folders):
    write_d4rl(folders / "d4rl/pen-human-v1.hdf5", arrays(45, 24), next_observations=False)
    dataset = load_dataset(get_task("adroit", "pen-human-v1"))
    equal(dataset, {**arrays(45, 24), "next_observations": None})


def test_antmaze_rewards_are_shifted(folders):
    task = get_task("antmaze", "antmaze-umaze-v2")
    content = arrays(29, 8)
    content["rewards"] = content["terminals"].astype(np.float32)
    name = "Ant_maze_u-maze_noisy_multistart_False_multigoal_False_sparse_fixed.hdf5"
    write_d4rl(folders / "d4rl" / name, content, next_observations=False)
    np.testing.assert_array_equal(load_dataset(task).rewards, np.where(content["terminals"], 0, -1))


def test_other_types_and_trailing_axes_are_accepted(folders):
    content = arrays()
    stored = {key: value.astype(np.float64) for key, value in content.items()}
    for key in ("rewards", "terminals", "timeouts"):
        stored[key] = stored[key][:, None]
    write_d4rl(folders / "mine.hdf5", stored)
    equal(load_dataset(CUSTOM), content)


@pytest.mark.parametrize("name", ["hopper-medium-v2", "Hopper-v3-low"])
def test_a_missing_file_names_the_command_that_downloads_it(name):
    task = get_task("neorl" if "v3" in name else "d4rl_loco", name)
    with pytest.raises(UserError, match=f"does not exist; .*python .*get_all_datasets.py {name}`"):
        load_dataset(task)


def test_a_missing_file_of_ones_own_names_the_key():
    with pytest.raises(UserError, match="mine.hdf5.* does not exist; correct env.dataset_path"):
        load_dataset(CUSTOM)


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.99])
def test_a_truncated_hdf5_file_is_an_error(folders, kept):
    write_d4rl(folders / HOPPER_FILE, arrays())
    content = (folders / HOPPER_FILE).read_bytes()
    (folders / HOPPER_FILE).write_bytes(content[: int(kept * len(content))])
    with pytest.raises(UserError, match="truncated .*get_all_datasets.py hopper-medium-v2"):
        load_dataset(HOPPER)


def test_a_hdf5_file_whose_compressed_rows_are_damaged_is_an_error(folders):
    write_d4rl(folders / HOPPER_FILE, arrays())
    with h5py.File(folders / HOPPER_FILE) as file:
        chunk = file["observations"].id.get_chunk_info(0)
    content = bytearray((folders / HOPPER_FILE).read_bytes())
    content[chunk.byte_offset : chunk.byte_offset + chunk.size] = bytes(chunk.size)
    (folders / HOPPER_FILE).write_bytes(content)
    with pytest.raises(UserError, match="truncated or not an HDF5 file"):
        load_dataset(HOPPER)


def bad(key, row, value):
    """The good arrays with one value overwritten."""

    def change(content):
        content[key] = content[key].astype(np.float64)
        content[key][row] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda c: c.pop("timeouts"),
            r"lacks the arrays \['timeouts'\]; it has actions, .*: add one number for each row",
        ),
        (lambda c: c.update({"data/dones": c.pop("timeouts")}), "it has actions, data/dones, "),
        (lambda c: c.update({f"episode_0/{k}": c.pop(k) for k in list(c)}), "are Minari's: give"),
        (lambda c: c.clear(), "lacks .*; it has no arrays at all"),
        (lambda c: c.update(rewards=c["rewards"][:-1]), "unequal lengths .*'rewards': 39"),
        (lambda c: c.update(rewards=np.float32(3)), "unequal lengths .*'rewards': 0"),
        (lambda c: c.update({k: v[:1] for k, v in c.items()}), "has 1 rows; at least 2"),
        (lambda c: c.update(observations=c["observations"][:, 0]), "'observations' has shape"),
        (lambda c: c.update(rewards=np.ones((ROWS, 2))), "'rewards' has shape .* one number"),
        (lambda c: c.update(next_observations=np.ones((ROWS, 4))), "'next_observations' has 4"),
        (lambda c: c.update(actions=np.full((ROWS, 3), b"x")), "'actions' has type"),
        (bad("observations", (7, 2), np.nan), "'observations' holds NaN or inf, first in row 7"),
        (bad("next_observations", (8, 2), -np.inf), "'next_observations' .* first in row 8"),
        (bad("rewards", 5, 1e300), r"'rewards' is 1e\+300 in row 5, which is beyond float32"),
        (bad("actions", (slice(None), 1), np.nan), "NaN or inf in all rows of dimension 1.*0/0"),
        (bad("terminals", 6, 2), "'terminals' is 2 in row 6; only 0 and 1"),
        (bad("actions", (9, 1), 2.0), r"'actions' leaves \[-1, 1\] in 1 of 40 rows \(row 9\)"),
    ],
)
def test_a_faulty_file_is_an_error_that_says_where(folders, change, message):
    content = arrays()
    change(content)
    write_d4rl_plain(folders / "mine.hdf5", content)
    with pytest.raises(UserError, match=message) as caught:
        load_dataset(CUSTOM)
    assert "mine.hdf5" in str(caught.value)


def write_d4rl_plain(path, content):
    with h5py.File(path, "w") as file:
        for key, array in content.items():
            file[key] = array


def test_actions_may_leave_the_bounds_by_rounding_and_in_published_files(folders):
    content = arrays()
    content["actions"][3, 0] = 1.00001
    write_d4rl(folders / "mine.hdf5", content)
    equal(load_dataset(CUSTOM), content)
    content["actions"][3, 0] = 1.5
    write_d4rl(folders / HOPPER_FILE, content)
    equal(load_dataset(HOPPER), content)


def test_actions_are_clipped_where_that_is_asked_for(folders, capsys):
    content = arrays()
    content["actions"][3, 0], content["actions"][4, 1] = 1.05, -7
    write_d4rl(folders / "mine.hdf5", content)
    with pytest.raises(UserError, match="env.clip_actions=true"):
        load_dataset(CUSTOM)
    clipped = load_dataset(dataclasses.replace(CUSTOM, clip_actions=True))
    equal(clipped, content | {"actions": content["actions"].clip(-1, 1)})
    assert "clipped to [-1, 1] in 2 of 40 rows (rows 3, 4), the furthest" in capsys.readouterr().out


def test_a_row_with_both_flags_is_terminal_in_own_data_only(folders, capsys):
    content = arrays()
    content["timeouts"] |= content["terminals"]
    write_d4rl(folders / "mine.hdf5", content)
    write_d4rl(folders / HOPPER_FILE, content)
    equal(load_dataset(CUSTOM), content | {"timeouts": arrays()["timeouts"]})
    assert (
        "2 of 40 rows (rows 9, 24) are in 'terminals' and in 'timeouts'" in capsys.readouterr().out
    )
    equal(load_dataset(HOPPER), content)


def test_spliced_episodes_are_refused_in_own_data_and_reported_of_published_data(folders, capsys):
    content = arrays()
    content["next_observations"] = content["next_observations"].copy()
    content["next_observations"][30] += 9
    write_d4rl(folders / "mine.hdf5", content)
    write_d4rl(folders / HOPPER_FILE, content)
    with pytest.raises(UserError, match=r"another episode after 1 of 35 rows \(row 30\)"):
        load_dataset(CUSTOM)
    equal(load_dataset(HOPPER), content)
    assert "note: dataset hopper-medium-v2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"PK\x03\x04", "a zip or npz file"), (b"\x93NUMPY\x01", "an npy"), (b"\x80\x04", "a pickle")],
)
def test_files_of_other_formats_are_called_by_their_name(folders, content, kind):
    (folders / "mine.hdf5").write_bytes(content)
    with pytest.raises(UserError, match=f"is {kind}.*, not an HDF5 file: write it as HDF5"):
        load_dataset(CUSTOM)


def test_dimensions_must_be_those_of_the_environment(folders):
    write_d4rl(folders / HOPPER_FILE, arrays(state_dim=17))
    with pytest.raises(UserError, match="'observations' has 17 numbers a row .* have 11"):
        load_dataset(HOPPER)
    write_d4rl(folders / "mine.hdf5", arrays())
    dataset = load_dataset(CUSTOM)
    check_dimensions(dataset, 11, 3, "dataset mine")
    with pytest.raises(UserError, match="dataset mine: 'actions' has 3 numbers a row .* have 6"):
        check_dimensions(dataset, 11, 6, "dataset mine")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda f: f.__setitem__("rewards", h5py.ExternalLink("other.hdf5", "/rewards")),
            "another",
        ),
        (lambda f: f.__setitem__("rewards", h5py.ExternalLink("/none", "/x")), "another file"),
        (
            lambda f: f.create_dataset(
                "rewards", (ROWS,), "f4", external=[("/etc/passwd", 0, 4 * ROWS)]
            ),
            "another file",
        ),
        (
            lambda f: f.create_virtual_dataset(
                "rewards",
                _layout(h5py.VirtualSource("other.hdf5", "rewards", shape=(ROWS,))),
            ),
            "another file",
        ),
        (lambda f: f.__setitem__("rewards", h5py.Empty("f4")), "is empty"),
        (lambda f: f.create_dataset("rewards", (10**13,), "f4", chunks=(1000,)), "free memory"),
        (lambda f: f.__setitem__("rewards", h5py.SoftLink("/nowhere")), "lacks|truncated"),
        (lambda f: f.create_dataset("rewards", (ROWS,), h5py.string_dtype()), "not a real number"),
        (lambda f: f.create_dataset("rewards", (ROWS,), [("a", "f4")]), "not a real number"),
    ],
)
def test_arrays_elsewhere_nowhere_and_beyond_memory_are_refused(folders, make, words):
    with h5py.File(folders / "mine.hdf5", "w") as file:
        for key, array in arrays().items():
            if key != "rewards":
                file[key] = array
        make(file)
    with pytest.raises(UserError, match=words):
        load_dataset(CUSTOM)


def _layout(source):
    layout = h5py.VirtualLayout((ROWS,), "f4")
    layout[:] = source
    return layout


@pytest.mark.parametrize("bounds", [(-np.inf, 1.0), (0.0, np.inf), (np.nan, 1.0), (1.0, 1.0)])
def test_reference_returns_are_finite_and_in_order(bounds):
    env = EnvConfig(dataset_path="x.hdf5", horizon=20, ref_min=bounds[0], ref_max=bounds[1])
    with pytest.raises(UserError, match=r"env\.ref_m(in|ax)=.*(no finite number|must be below)"):
        get_task("custom", "mine", env)


def test_a_file_that_is_not_hdf5_says_no_environment(tmp_path):
    """NeoRL's, which env.dataset_path may name too."""
    np.savez(tmp_path / "rows.npz", obs=np.zeros((2, 3)))
    assert own_file.environment_of(tmp_path / "rows.npz") is None
