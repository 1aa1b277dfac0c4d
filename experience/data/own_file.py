"""HDF5 files in D4RL's layout as users make them: episode by episode, with their provenance."""

import json
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from experience.data.rows import OPTIONAL_KEYS, REQUIRED_KEYS, Dataset
from experience.data.sources.hdf5 import UNREADABLE
from harness.arrays import UnreadableArraysError, read_npz, write_npz
from harness.errors import UserError, first_line
from harness.files import atomic_write, write_text

_KEYS = (*REQUIRED_KEYS, *OPTIONAL_KEYS)
#: Rows in one part: a kill loses at most as many.
PART_ROWS = 10_000
_AGAIN = "remove the folder {}, and the same command collects all of it again"
_PART = re.compile(r"(\d+)-(\d+)\.npz")


class Parts:
    """A collection in progress, in the hidden folder `.<name>.parts` beside the final file.

    Each part holds whole blocks of episodes and is named by the blocks after which it begins and
    ends, so that a collection goes on at its first missing block. The folder is made for the first
    one. Only one process at a time may collect for a file: hold `only_process` of it.
    """

    def __init__(self, final: Path, settings: dict[str, Any]):
        """`settings` decide the rows; UserError if the folder holds parts of others, or not all."""
        self.folder = final.with_name(f".{final.name}.parts")
        self._waiting: list[Dataset] = []
        self._record = self.folder / "settings.json"
        self._settings = json.dumps(settings, indent=2) + "\n"
        files = self._files()
        if files and not (self._record.exists() and self._record.read_text() == self._settings):
            raise UserError(
                f"{self.folder} holds the beginning of another collection: finish that one with its"
                " own command, or remove the folder"
            )
        self.block, self.rows, self.episodes = self._end(files), 0, 0
        for file in files.values():
            part = _load(file)
            self.rows += part.rows
            self.episodes += _episodes(part)
        self._saved_block = self.block

    def add(self, episodes: list[Dataset]) -> None:
        """One more block; it is on the disk as soon as a part is full, or after `flush`."""
        self._waiting += episodes
        self.block += 1
        self.rows += sum(episode.rows for episode in episodes)
        self.episodes += len(episodes)
        if sum(episode.rows for episode in self._waiting) >= PART_ROWS:
            self.flush()

    def flush(self) -> None:
        """Leave the blocks that wait on the disk."""
        if not self._waiting:
            return
        write_text(self._record, self._settings)
        path = self.folder / f"{self._saved_block:08d}-{self.block:08d}.npz"
        write_npz(path, joined(self._waiting).arrays)
        self._waiting, self._saved_block = [], self.block

    def dataset(self) -> Dataset:
        """All rows so far; UserError if someone has removed parts of them."""
        self.flush()
        files = self._files()
        if self._end(files) != self.block:
            raise UserError(
                f"parts have vanished from {self.folder} meanwhile: {_AGAIN.format(self.folder)}"
            )
        return joined(_load(file) for file in files.values())

    def discard(self) -> None:
        shutil.rmtree(self.folder)

    def _files(self) -> dict[tuple[int, int], Path]:
        """By the blocks after which they begin and end, in order."""
        named = ((_PART.fullmatch(file.name), file) for file in self.folder.glob("*.npz"))
        found = {(int(match[1]), int(match[2])): file for match, file in named if match}
        return dict(sorted(found.items()))

    def _end(self, files: dict[tuple[int, int], Path]) -> int:
        """The block after which the last one ends; UserError if one does not follow another."""
        reached = 0
        for (begins, ends), file in files.items():
            if begins != reached:
                raise UserError(
                    f"{file} does not begin where the part before it ends, at block {reached}:"
                    f" {_AGAIN.format(self.folder)}"
                )
            reached = ends
        return reached


def joined(datasets: Iterable[Dataset]) -> Dataset:
    """The rows of several datasets one after the other."""
    datasets = list(datasets)
    return Dataset(**{key: np.concatenate([getattr(d, key) for d in datasets]) for key in _KEYS})


def episode_starts(dataset: Dataset) -> np.ndarray:
    """The first row of every episode, (episode,)."""
    return np.flatnonzero(np.append(True, (dataset.terminals | dataset.timeouts)[:-1]))


def episode_returns(dataset: Dataset) -> np.ndarray:
    """Sums of the rewards in the file, (episode,)."""
    return np.add.reduceat(dataset.rewards.astype(np.float64), episode_starts(dataset))


def whole_episodes(
    dataset: Dataset, *, rows: int | None = None, episodes: int | None = None
) -> Dataset:
    """The beginning of `dataset`: as few whole episodes as have `rows` rows, or `episodes` ones."""
    ends = 1 + np.flatnonzero(dataset.terminals | dataset.timeouts)
    count = len(ends) if episodes is None else episodes
    if rows is not None:
        count = int(np.searchsorted(ends, rows)) + 1
    end = ends[min(count, len(ends)) - 1]
    return Dataset(**{key: getattr(dataset, key)[:end] for key in _KEYS})


def write(path: Path, dataset: Dataset, attributes: dict[str, Any]) -> None:
    """The file appears complete or not at all; attributes that are not plain become JSON."""
    import h5py

    with atomic_write(path) as temporary, h5py.File(temporary, "w") as file:
        for key, array in dataset.arrays.items():
            file.create_dataset(key, data=array, compression="gzip", compression_opts=1)
        for name, value in attributes.items():
            file.attrs[name] = as_attribute(value)


def as_attribute(value: Any) -> str | int | float:
    """A value as HDF5 keeps it: what is not plain as JSON."""
    return value if isinstance(value, str | int | float) else json.dumps(value)


def attributes(path: Path) -> dict[str, Any]:
    """The provenance of an own file, by name; empty for a file without."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return dict(file.attrs)
    except UNREADABLE as error:
        raise UserError(f"{path} is not a readable HDF5 file ({first_line(error)})") from error


def environment_of(path: Path) -> str | None:
    """The id of the environment that the file says it is of; None where it does not say, as files
    that are not HDF5 (NeoRL's) cannot."""
    import h5py

    if not h5py.is_hdf5(path):
        return None
    said = attributes(path).get("environment")
    return said if isinstance(said, str) else None


def _load(part: Path) -> Dataset:
    try:
        arrays = read_npz(part)
        return Dataset(**{key: arrays[key] for key in _KEYS})
    except (UnreadableArraysError, KeyError) as error:
        raise UserError(
            f"{part} is damaged ({first_line(error)}): {_AGAIN.format(part.parent)}"
        ) from error


def _episodes(dataset: Dataset) -> int:
    return int((dataset.terminals | dataset.timeouts).sum())
