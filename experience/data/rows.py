"""The rows of a dataset in memory, and the checks that every file passes on its way there."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from harness.errors import UserError

REQUIRED_KEYS = ("observations", "actions", "rewards", "terminals", "timeouts")
OPTIONAL_KEYS = ("next_observations",)


@dataclass(frozen=True)
class Dataset:
    """Logged experience, one row per environment step in file order (spec 1.1).

    `rewards` are what the agent is shown: the stored ones plus the task's reward shift.
    `next_observations` is None where the file has none; the next row's observation stands in.
    """

    observations: Float[np.ndarray, "row state"]
    actions: Float[np.ndarray, "row action"]
    rewards: Float[np.ndarray, " row"]
    terminals: Bool[np.ndarray, " row"]
    timeouts: Bool[np.ndarray, " row"]
    next_observations: Float[np.ndarray, "row state"] | None

    @property
    def rows(self) -> int:
        return len(self.rewards)


def from_d4rl_layout(arrays: Mapping[str, np.ndarray], where: str) -> Dataset:
    """The dataset in `arrays`, which has D4RL's keys; `where` names the file in errors.

    Raises UserError for missing keys, unequal lengths, wrong shapes or types, NaN and inf.
    """
    require_keys(arrays, REQUIRED_KEYS, where)
    require_equal_lengths(arrays, where)
    observations = vectors(arrays, "observations", where)
    next_observations = None
    if "next_observations" in arrays:
        next_observations = vectors(arrays, "next_observations", where)
        require_same_width(observations, next_observations, "next_observations", where)
    return Dataset(
        observations=observations,
        actions=vectors(arrays, "actions", where),
        rewards=numbers(arrays, "rewards", where),
        terminals=flags(arrays, "terminals", where),
        timeouts=flags(arrays, "timeouts", where),
        next_observations=next_observations,
    )


def require_keys(found: Iterable[str], required: Iterable[str], where: str) -> None:
    found = sorted(found)
    missing = [key for key in required if key not in found]
    if missing:
        raise UserError(
            f"{where} lacks the arrays {missing} (it has {found}); add them or use a complete file"
        )


def require_equal_lengths(arrays: Mapping[str, np.ndarray], where: str) -> None:
    """Two rows at least: a single one has no successor and teaches nothing."""
    lengths = {key: array.shape[0] if array.ndim else 0 for key, array in arrays.items()}
    if len(set(lengths.values())) != 1:
        raise UserError(
            f"{where} has arrays of unequal lengths {lengths}; every array needs one row per step"
        )
    if min(lengths.values()) < 2:
        raise UserError(f"{where} has {min(lengths.values())} rows; at least 2 are needed")


def require_same_width(first: np.ndarray, second: np.ndarray, key: str, where: str) -> None:
    if first.shape[1] != second.shape[1]:
        raise UserError(
            f"{where}: '{key}' has {second.shape[1]} numbers a row but observations have "
            f"{first.shape[1]}; both must describe the same state"
        )


def vectors(arrays: Mapping[str, np.ndarray], key: str, where: str) -> np.ndarray:
    """`arrays[key]` as finite float32 of shape (row, dimension)."""
    array = arrays[key]
    if array.ndim != 2 or array.shape[1] == 0:
        raise UserError(
            f"{where}: '{key}' has shape {array.shape} but (steps, dimensions) is needed; "
            "flatten or reshape it"
        )
    return _finite(array, key, where)


def numbers(arrays: Mapping[str, np.ndarray], key: str, where: str) -> np.ndarray:
    """`arrays[key]` as finite float32 of shape (row,); a trailing axis of 1 is dropped."""
    return _finite(_column(arrays[key], key, where), key, where)


def flags(arrays: Mapping[str, np.ndarray], key: str, where: str) -> np.ndarray:
    """`arrays[key]`, stored as bool or as 0 and 1, as bool of shape (row,)."""
    values = _finite(_column(arrays[key], key, where), key, where)
    wrong = (values != 0) & (values != 1)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise UserError(
            f"{where}: '{key}' is {values[row]:g} in row {row}; only 0 and 1 are allowed there"
        )
    return values.astype(bool)


def _column(array: np.ndarray, key: str, where: str) -> np.ndarray:
    if array.ndim == 2 and array.shape[1] == 1:
        return array[:, 0]
    if array.ndim != 1:
        raise UserError(
            f"{where}: '{key}' has shape {array.shape} but one number per step is needed; "
            "reshape it to (steps,)"
        )
    return array


def _finite(array: np.ndarray, key: str, where: str) -> np.ndarray:
    if array.dtype.kind not in "fiub":
        raise UserError(
            f"{where}: '{key}' has type {array.dtype}, which is not a real number; "
            "store it as float32"
        )
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes inf and is caught below
        values = array.astype(np.float32, copy=False)
    bad = ~np.isfinite(values)
    if bad.any():
        row = int(np.argmax(bad.reshape(len(values), -1).any(axis=1)))
        raise UserError(
            f"{where}: '{key}' holds NaN or inf, first in row {row}; "
            "remove the episodes that contain such rows or get an intact file"
        )
    return values
