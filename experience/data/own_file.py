"""HDF5 files in D4RL's layout as users make them: episode by episode, with their provenance."""

import json
import shutil
from collections.abc import Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from experience.data.rows import OPTIONAL_KEYS, REQUIRED_KEYS, Dataset
from harness.arrays import write_npz
from harness.errors import UserError
from harness.files import atomic_write, disk_errors, write_text

_KEYS = (*REQUIRED_KEYS, *OPTIONAL_KEYS)
#: Rows in one part: a kill loses at most as many.
PART_ROWS = 10_000


class Parts:
    """A collection in progress, in the hidden folder `.<name>.parts` beside the final file.

    Each part holds whole blocks of episodes and is named by the blocks after which it begins and
    ends, so that a collection goes on at its first missing block.
    """

    def __init__(self, final: Path, settings: dict[str, Any]):
        """`settings` decide the rows; UserError if the folder holds parts of others."""
        self.folder = final.with_name(f".{final.name}.parts")
        self._waiting: list[Dataset] = []
        record, text = self.folder / "settings.json", json.dumps(settings, indent=2) + "\n"
        if record.exists() and record.read_text() != text:
            raise UserError(
                f"{self.folder} holds the beginning of another collection: finish that one with its"
                " own command, or remove the folder"
            )
        if not record.exists():
            write_text(record, text)
        self.block, self.rows, self.episodes = 0, 0, 0
        for file in self._files():
            part = _load(file)
            self.block = int(file.stem.partition("-")[2])
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
        path = self.folder / f"{self._saved_block:08d}-{self.block:08d}.npz"
        write_npz(path, joined(self._waiting).arrays)
        self._waiting, self._saved_block = [], self.block

    def dataset(self) -> Dataset:
        """All rows so far."""
        self.flush()
        return joined(_load(file) for file in self._files())

    def discard(self) -> None:
        shutil.rmtree(self.folder)

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("*.npz"))


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
    with _opened(path) as file:
        return dict(file.attrs)


@contextmanager
def _opened(path: Path):
    import h5py

    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise UserError(f"{path} is not a readable HDF5 file ({error})") from error
    with file:
        yield file


def _load(part: Path) -> Dataset:
    with disk_errors(part), np.load(part) as arrays:
        return Dataset(**{key: arrays[key] for key in _KEYS})


def _episodes(dataset: Dataset) -> int:
    return int((dataset.terminals | dataset.timeouts).sum())
