"""NeoRL's npz files, whose episodes have to be put together from `done` and `index`."""

from pathlib import Path

import numpy as np

from experience.data import rows
from experience.data.rows import Dataset
from harness.arrays import PickledArraysError, UnreadableArraysError, read_npz
from harness.errors import UserError

_ROW_KEYS = ("obs", "action", "next_obs", "reward", "done")
_KEYS = (*_ROW_KEYS, "index")


def read(path: Path, horizon: int, where: str, remedy: str) -> Dataset:
    """The dataset in the NeoRL file at `path`, x position included.

    `where` names the dataset in errors and `remedy` says what to do about a damaged file.
    Raises UserError for a damaged file, for every fault of its contents, and where `index`
    disagrees with `done`.
    """
    try:
        arrays = read_npz(path, _KEYS)
    except PickledArraysError as error:
        raise UserError(
            f"{where} holds pickled objects instead of plain arrays, which are never loaded: they"
            " could run anything; get the published file, or save plain number arrays"
        ) from error
    except UnreadableArraysError as error:
        raise UserError(f"{where} is truncated or not an npz file ({error}); {remedy}") from error
    return from_neorl_layout(arrays, horizon, where)


def from_neorl_layout(arrays: dict[str, np.ndarray], horizon: int, where: str) -> Dataset:
    """The dataset in NeoRL's arrays obs, action, next_obs, reward, done and index.

    An episode ends where `done` is 1: terminal if it is shorter than `horizon`, else a timeout.
    """
    rows.require_keys(arrays, _KEYS, where)
    rows.require_equal_lengths({key: arrays[key] for key in _ROW_KEYS}, where)
    done = rows.flags(arrays, "done", where)
    starts = _episode_starts(done, rows.numbers(arrays, "index", where), where)

    ends = np.append(starts[1:], len(done)) - 1
    short = np.zeros_like(done)
    short[ends] = np.diff(np.append(starts, len(done))) < horizon
    observations = rows.vectors(arrays, "obs", where)
    next_observations = rows.vectors(arrays, "next_obs", where)
    rows.require_same_width(observations, next_observations, "next_obs", where)
    return Dataset(
        observations=observations,
        actions=rows.vectors(arrays, "action", where),
        rewards=rows.numbers(arrays, "reward", where),
        terminals=done & short,
        timeouts=done & ~short,
        next_observations=next_observations,
    )


def _episode_starts(done: np.ndarray, index: np.ndarray, where: str) -> np.ndarray:
    """First rows of the episodes, after checking that `done` and `index` tell the same story.

    A file's `index` may or may not begin with 0 and end with the number of rows: both follow
    from the length of the file, so neither is held against it.
    """
    starts = np.concatenate([[0], np.flatnonzero(done[:-1]) + 1])
    stored = np.union1d([0], index.astype(np.int64))
    stored = stored[stored != len(done)]
    if not np.array_equal(starts, stored):
        row = int(np.setxor1d(starts, stored)[0])
        holder = "done" if row in starts else "index"
        raise UserError(
            f"{where}: 'done' and 'index' disagree about the episodes, first at row {row}, which "
            f"starts one only by '{holder}'; get an intact file"
        )
    return starts
