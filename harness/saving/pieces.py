"""A long computation in pieces, each kept until all are there: a kill loses one of them."""

import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np

from harness.arrays import UnreadableArraysError, digest_of, read_npz, write_npz

Arrays = Mapping[str, np.ndarray]
#: (name, how to compute it) → the piece of this name
Keep = Callable[[str, Callable[[], Arrays]], Arrays]


def at_once(name: str, compute: Callable[[], Arrays]) -> Arrays:
    """A `Keep` that keeps nothing."""
    return compute()


class Pieces:
    """A `Keep` whose pieces lie in a folder below `home`, named by what they were computed from."""

    def __init__(self, home: Path, sources: Iterable[np.ndarray | str]):
        self._home = home
        self._folder = home / digest_of(sources)

    def __call__(self, name: str, compute: Callable[[], Arrays]) -> Arrays:
        file = self._folder / f"{name}.npz"
        try:
            return read_npz(file)
        except UnreadableArraysError:
            arrays = {key: np.asarray(array) for key, array in compute().items()}
        write_npz(file, arrays)
        return arrays

    def clear(self) -> None:
        """Removes them all, once what they were for is written."""
        shutil.rmtree(self._home, ignore_errors=True)
