"""Ensemble files: the published one, our copy of it, and every kind of bad file."""

import hashlib
import json

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from harness.errors import UserError
from offline_world.checkpoint import load_bandit_ensemble, load_ensemble, save_ensemble
from offline_world.criterion import relative_mse
from offline_world.modules import squared_error
from offline_world.selection import best_members, rollout_threshold, row_uncertainties
from tests import golden_map
from tests.offline_world import golden_ensemble

PUBLISHED = golden_map.GOLDEN / "ensemble_seed0.eqx"
EXPECTED = golden_map.load("ensemble_seed0_expected")
STATE = EXPECTED["y"].shape[1] - 1
ACTION = EXPECTED["x"].shape[1] - STATE


@pytest.fixture(scope="module")
def ensemble():
    return load_ensemble(PUBLISHED, STATE, ACTION)


@pytest.fixture(scope="module")
def expected():
    return EXPECTED


def test_loads_the_published_file(ensemble, expected):
    named = golden_ensemble.ensemble(expected)
    for ours, theirs in zip(jax.tree.leaves(ensemble), jax.tree.leaves(named), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    mean, std = eqx.filter_jit(ensemble)(expected["x"])
    np.testing.assert_allclose(mean, expected["mu"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(std, expected["sigma"], rtol=1e-4, atol=1e-5)
    mse = squared_error(mean, expected["y"]).mean(-1)
    np.testing.assert_allclose(mse, expected["mse"], rtol=1e-4, atol=1e-5)


def test_selects_the_published_members_uncertainties_and_thresholds(ensemble, expected):
    holdout = jnp.concatenate([expected["x"], expected["y"]], axis=1)
    best = best_members(ensemble, holdout, len(expected["best_idx"]), relative_mse(0.01))
    for ours, theirs in zip(
        jax.tree.leaves(best), jax.tree.leaves(ensemble.subset(expected["best_idx"])), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    uncertainties = row_uncertainties(best, expected["x"], "epi_mean")
    np.testing.assert_allclose(uncertainties, expected["best_unc_epi_mean"], rtol=1e-4, atol=1e-5)
    levels, quantiles = expected["quantile_levels"], expected["best_unc_quantiles"]
    for level, quantile in zip(levels, quantiles, strict=True):
        threshold = rollout_threshold(uncertainties, float(level))
        assert threshold == pytest.approx(float(quantile), rel=1e-4)
    assert rollout_threshold(uncertainties, -1.0) == float("inf")


def test_uncertainty_of_rows_does_not_depend_on_how_many_go_at_once(ensemble, expected):
    rows = len(expected["x"])
    many = jnp.tile(expected["x"], (-(-2001 // rows), 1))[:2001]
    together = row_uncertainties(ensemble, many, "total_var")
    assert together.shape == (2001,)
    np.testing.assert_allclose(together[-1], together[2000 % rows], rtol=1e-5)


def test_what_we_write_is_what_was_published(ensemble, tmp_path):
    save_ensemble(tmp_path / "copy.eqx", ensemble)
    published = PUBLISHED.read_bytes()
    checksum = f"sha256 {hashlib.sha256(published).hexdigest()}\n".encode()
    assert (tmp_path / "copy.eqx").read_bytes() == published + checksum
    assert [p.name for p in tmp_path.iterdir()] == ["copy.eqx"]


@pytest.mark.parametrize("has_ln", [True, False])
def test_round_trip_of_our_own(has_ln, tmp_path):
    ensemble = golden_ensemble.random(3, 6, 5, 8, residual=4, has_ln=has_ln)
    save_ensemble(tmp_path / "new" / "e.eqx", ensemble)
    loaded = load_ensemble(tmp_path / "new" / "e.eqx", 4, 2)
    assert loaded.has_ln == has_ln and loaded.size == 3
    assert eqx.tree_equal(loaded, ensemble)


def test_published_bandit_file_round_trips(tmp_path):
    path = golden_map.GOLDEN / "bandit_ensemble_seed0.eqx"
    save_ensemble(tmp_path / "copy.eqx", load_bandit_ensemble(path, 2))
    assert (tmp_path / "copy.eqx").read_bytes().startswith(path.read_bytes() + b"sha256 ")


def written(tmp_path, content: bytes):
    path = tmp_path / "bad.eqx"
    path.write_bytes(content)
    return path


def array_ends(content: bytes) -> list[int]:
    """Byte offsets at which the header and each array end."""
    from io import BytesIO

    file = BytesIO(content)
    file.readline()
    ends = [file.tell()]
    while ends[-1] < len(content):
        np.lib.format.read_array(file)
        ends.append(file.tell())
    return ends


def test_truncation_anywhere_is_a_user_error(tmp_path):
    content = PUBLISHED.read_bytes()
    ends = array_ends(content)
    assert len(ends) == 2 + 4 * 4 + 4
    middles = [(a + b) // 2 for a, b in zip(ends[:-1], ends[1:], strict=True)]
    # inside the magic string, the array's header and its last number
    inside = [end + offset for end in ends[:-1] for offset in (1, 7, 9, 60)]
    for cut in [0, 1, ends[0] - 1, *ends[:-1], *middles, *inside, len(content) - 1]:
        with pytest.raises(UserError, match="bad.eqx"):
            load_ensemble(written(tmp_path, content[:cut]), STATE, ACTION)


def test_damage_anywhere_is_a_user_error_or_only_a_number(tmp_path):
    content = PUBLISHED.read_bytes()
    rng = np.random.default_rng(0)
    heads = [end + i for end in array_ends(content)[:-1] for i in range(0, 128, 3)]
    places = [*range(0, 80, 2), *rng.choice(heads, 150, replace=False)]
    refused = 0
    for place in places:
        damaged = bytearray(content)
        damaged[place] = int(rng.integers(256))
        try:
            loaded = load_ensemble(written(tmp_path, bytes(damaged)), STATE, ACTION)
        except UserError:
            refused += 1
        else:
            assert loaded.size == len(EXPECTED["mu"])
    assert refused > 20


@pytest.mark.parametrize(
    "content,clause",
    [
        (b"", "not a world model"),
        (b"\x89HDF\r\n\x1a\n" + bytes(200), "not a world model"),
        (b"[1, 2]\n", "not a world model"),
        (b'{"ensemble_size": 6}\n', "not a world model"),
        (b'{"ensemble_size": 0, "hidden_size": 16}\n', "not a world model"),
        (b'{"ensemble_size": "6", "hidden_size": 16, "has_ln": true}\n', "not a world model"),
        (b'{"ensemble_size": 6, "hidden_size": 16, "has_ln": "no"}\n', "not a world model"),
        (b'{"ensemble_size": 6, "hidden_size": 16, "has_ln": true}\nPK\x03\x04', "damaged"),
    ],
)
def test_foreign_files(content, clause, tmp_path):
    with pytest.raises(UserError, match=clause):
        load_ensemble(written(tmp_path, content), STATE, ACTION)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(UserError, match="none.eqx.*No such file"):
        load_ensemble(tmp_path / "none.eqx", STATE, ACTION)
    with pytest.raises(UserError, match="directory"):
        load_ensemble(tmp_path, STATE, ACTION)


@pytest.mark.parametrize(
    "state,action", [(STATE + 6, ACTION + 3), (STATE, ACTION + 3), (STATE - 1, ACTION + 1)]
)
def test_other_sizes(state, action):
    with pytest.raises(UserError, match=f"{state}"):
        load_ensemble(PUBLISHED, state, action)


def test_other_size_than_the_header_says(tmp_path):
    line, rest = PUBLISHED.read_bytes().split(b"\n", 1)
    header = json.loads(line)
    larger = {key: header[key] + 1 for key in ("ensemble_size", "hidden_size")}
    for change in (*({key: size} for key, size in larger.items()), {"has_ln": False}):
        content = json.dumps(header | change).encode() + b"\n" + rest
        with pytest.raises(UserError, match="another size|truncated|goes on"):
            load_ensemble(written(tmp_path, content), STATE, ACTION)


def test_trailing_bytes(tmp_path):
    with pytest.raises(UserError, match="goes on after its last array"):
        load_ensemble(written(tmp_path, PUBLISHED.read_bytes() + b"\0"), STATE, ACTION)


def test_state_size_that_is_no_number(tmp_path):
    from io import BytesIO

    line, rest = PUBLISHED.read_bytes().split(b"\n", 1)
    after = BytesIO(rest)
    np.lib.format.read_array(after)
    for value in (np.array("eleven"), np.array(np.nan)):
        size = BytesIO()
        np.save(size, value)
        content = line + b"\n" + size.getvalue() + rest[after.tell() :]
        with pytest.raises(UserError, match="the state size"):
            load_ensemble(written(tmp_path, content), STATE, ACTION)


def test_the_published_reader_leaves_our_checksum_unread(ensemble, tmp_path):
    save_ensemble(tmp_path / "ours.eqx", ensemble)
    count = len(array_ends(PUBLISHED.read_bytes())) - 1
    with open(tmp_path / "ours.eqx", "rb") as ours, PUBLISHED.open("rb") as published:
        assert ours.readline() == published.readline()
        like = [np.load(published) for _ in range(count)]
        for one, other in zip(eqx.tree_deserialise_leaves(ours, like), like, strict=True):
            np.testing.assert_array_equal(one, other)


def test_no_flipped_bit_of_our_own_file_passes(tmp_path):
    save_ensemble(tmp_path / "own.eqx", golden_ensemble.random(2, 3, 3, 4, residual=2))
    content = (tmp_path / "own.eqx").read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.choice(len(content), 150, replace=False):
        damaged = bytearray(content)
        damaged[place] ^= 1 << rng.integers(8)
        with pytest.raises(UserError, match="bad.eqx"):
            load_ensemble(written(tmp_path, bytes(damaged)), 2, 1)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_are_refused(number, ensemble, tmp_path):
    weight = ensemble.members.mean_head.weight.at[1, 2, 3].set(number)
    bad = eqx.tree_at(lambda e: e.members.mean_head.weight, ensemble, weight)
    save_ensemble(tmp_path / "bad.eqx", bad)
    with pytest.raises(UserError, match="bad.eqx holds NaN or inf in array"):
        load_ensemble(tmp_path / "bad.eqx", STATE, ACTION)


def test_arrays_of_other_machines_and_of_absurd_sizes(tmp_path):
    content = PUBLISHED.read_bytes()
    head = array_ends(content)[1]
    shape = f"{EXPECTED['param:members.block1._fun.net.layers[0].weight'].shape}, ".encode()
    free = len(shape) - len(b"(,)")
    for old, new in (
        (b"'<f4'", b"'>f4'"),
        (b"'<f4'", b"'|O' "),
        (shape, b"(" + b"9" * free + b",)"),
        (shape, b"(" + b"[" * free + b",)"),
        (b"{'descr': ", b"{[]:     1: "),
    ):
        start = content.index(old, head)
        changed = content[:start] + new + content[start + len(old) :]
        with pytest.raises(UserError, match="bad.eqx"):
            load_ensemble(written(tmp_path, changed), STATE, ACTION)
    deep = b"[" * 100_000 + b"\n"
    with pytest.raises(UserError, match="not a world model"):
        load_ensemble(written(tmp_path, deep), STATE, ACTION)
