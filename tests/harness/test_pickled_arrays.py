"""Pickles are read for their arrays alone, and nothing in them is run."""

import os
import pickle
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from harness.pickled_arrays import NotPlainArraysError, read_pickled_arrays

ARRAYS = {
    "float": np.linspace(0, 1, 6, dtype=np.float32).reshape(2, 3),
    "columns first": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "big endian": np.arange(3, dtype=">f8"),
    "bool": np.array([True, False]),
    "byte": np.arange(4, dtype=np.uint8),
    "empty": np.zeros((0, 2)),
    "nothing around": np.array(3.5),
    "slice": np.arange(12).reshape(3, 4)[:, ::2],
}
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "content.pkl"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_arrays_come_back_as_they_were(path, protocol):
    path.write_bytes(pickle.dumps(ARRAYS, protocol))
    found = read_pickled_arrays(path)
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array, strict=True, err_msg=name)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_plain_values_come_back_as_they_were(path, protocol):
    content = [{"seed": 1, ("a", 2.5): None}, (True, b"bytes", b"", "text"), np.float32(0.1)]
    path.write_bytes(pickle.dumps(content, protocol))
    assert read_pickled_arrays(path) == content


def test_names_of_older_numpy_are_known(path):
    new = pickle.dumps(ARRAYS["float"], 2)
    assert b"numpy._core" in new
    path.write_bytes(new.replace(b"numpy._core", b"numpy.core"))
    np.testing.assert_array_equal(read_pickled_arrays(path), ARRAYS["float"], strict=True)


class Harmful:
    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    "content",
    [
        Harmful(os.mkdir, "made"),
        {"rewards": np.ones(3), "more": [Harmful(os.mkdir, "made")]},
        np.array([Harmful(os.mkdir, "made")], object),
        Harmful(np.load, "content.pkl"),
        Path("x"),
    ],
    ids=["call", "beside", "inside", "numpy", "path"],
)
def test_calls_are_refused_and_not_made(path, content, monkeypatch):
    monkeypatch.chdir(path.parent)
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(NotPlainArraysError, match="asks for"):
        read_pickled_arrays(path)
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize(
    "content",
    [
        np.array([None], object),
        np.array(["text"]),
        np.array([(1, 2.0)], [("a", int), ("b", float)]),
        np.array(["2026-01-01"], "datetime64[D]"),
        {1, 2},
        1j,
    ],
    ids=["objects", "text", "record", "dates", "set", "complex"],
)
def test_other_content_is_named(path, content):
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(NotPlainArraysError, match="holds|asks for"):
        read_pickled_arrays(path)


def test_a_list_within_itself_ends(path):
    endless = []
    endless.append(endless)
    path.write_bytes(pickle.dumps(endless))
    with pytest.raises(NotPlainArraysError, match="recursion"):
        read_pickled_arrays(path)


def test_a_missing_file_is_named(path):
    with pytest.raises(NotPlainArraysError, match="content.pkl"):
        read_pickled_arrays(path)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_damage_raises_nothing_else(path, protocol):
    whole = pickle.dumps({"arms": np.zeros((2, 3), int), "rewards": np.ones((2, 3))}, protocol)
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(NotPlainArraysError):
            read_pickled_arrays(path)
    rng = np.random.default_rng(0)
    for _ in range(1000):
        damaged = bytearray(whole)
        for position in rng.integers(0, len(whole), 2):
            damaged[position] = rng.integers(0, 256)
        path.write_bytes(damaged)
        with suppress(NotPlainArraysError):
            read_pickled_arrays(path)
