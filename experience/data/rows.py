"""The rows of a dataset in memory, and the checks that every file passes on its way there."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float

from experience.data.origin import Origin, OriginOf, measured_from, warn_of_lost_steps
from harness.arrays import digest_of
from harness.errors import UserError

REQUIRED_KEYS = ("observations", "actions", "rewards", "terminals", "timeouts")
OPTIONAL_KEYS = ("next_observations",)


@dataclass(frozen=True)
class Dataset:
    """Logged experience, one row per environment step in file order.

    `rewards` are what the agent is shown: the stored ones plus the task's reward shift.
    `next_observations` is None where the file has none; the next row's observation stands in.
    Observations are measured from `origin`, which is None where they are as stored.
    """

    observations: Float[np.ndarray, "row state"]
    actions: Float[np.ndarray, "row action"]
    rewards: Float[np.ndarray, " row"]
    terminals: Bool[np.ndarray, " row"]
    timeouts: Bool[np.ndarray, " row"]
    next_observations: Float[np.ndarray, "row state"] | None
    origin: Origin | None = None

    @property
    def rows(self) -> int:
        return len(self.rewards)

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays under their keys in D4RL's layout, without those that there are not."""
        keys = (*REQUIRED_KEYS, *OPTIONAL_KEYS)
        return {key: getattr(self, key) for key in keys if getattr(self, key) is not None}

    @cached_property
    def digest(self) -> str:
        """That of these rows as they are learned from, whatever file they are in."""
        named = [part for key_and_array in self.arrays.items() for part in key_and_array]
        return digest_of(named if self.origin is None else [*named, "origin", self.origin])


def from_d4rl_layout(
    arrays: Mapping[str, np.ndarray], where: str, origin_of: OriginOf | None = None
) -> Dataset:
    """The dataset in `arrays`, which has D4RL's keys; `where` names the file in errors.

    A user's own data comes with `origin_of`, which says what its observations are measured from;
    where float32 cannot hold it even so, that is told on stderr. Raises UserError for missing keys,
    unequal lengths, wrong shapes or types, NaN and inf.
    """
    require_keys(arrays, REQUIRED_KEYS, where)
    require_equal_lengths(arrays, where)
    origin = None
    if origin_of is not None:
        origin = origin_of(_table(arrays, "observations", where))
    observations = vectors(arrays, "observations", where, origin)
    next_observations = None
    if "next_observations" in arrays:
        next_observations = vectors(arrays, "next_observations", where, origin)
        require_same_width(observations, next_observations, "next_observations", where)
    rewards = numbers(arrays, "rewards", where)
    if origin_of is not None:
        warn_of_lost_steps(arrays["observations"], observations, "observations", where)
        warn_of_lost_steps(arrays["rewards"].reshape(-1, 1), rewards[:, None], "rewards", where)
    return Dataset(
        observations=observations,
        actions=vectors(arrays, "actions", where),
        rewards=rewards,
        terminals=flags(arrays, "terminals", where),
        timeouts=flags(arrays, "timeouts", where),
        next_observations=next_observations,
        origin=origin,
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


def vectors(
    arrays: Mapping[str, np.ndarray], key: str, where: str, origin: Origin | None = None
) -> np.ndarray:
    """`arrays[key]`, measured from `origin`, as finite float32 of shape (row, dimension)."""
    return _finite(_table(arrays, key, where), key, where, origin)


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


def _table(arrays: Mapping[str, np.ndarray], key: str, where: str) -> np.ndarray:
    array = arrays[key]
    if array.ndim != 2 or array.shape[1] == 0:
        raise UserError(
            f"{where}: '{key}' has shape {array.shape} but (steps, dimensions) is needed; "
            "flatten or reshape it"
        )
    _require_real(array, key, where)
    return array


def _column(array: np.ndarray, key: str, where: str) -> np.ndarray:
    if array.ndim == 2 and array.shape[1] == 1:
        return array[:, 0]
    if array.ndim != 1:
        raise UserError(
            f"{where}: '{key}' has shape {array.shape} but one number per step is needed; "
            "reshape it to (steps,)"
        )
    return array


def _require_real(array: np.ndarray, key: str, where: str) -> None:
    if array.dtype.kind not in "fiub":
        raise UserError(
            f"{where}: '{key}' has type {array.dtype}, which is not a real number; "
            "store it as float32"
        )


def _finite(array: np.ndarray, key: str, where: str, origin: Origin | None = None) -> np.ndarray:
    _require_real(array, key, where)
    values = measured_from(array, origin)
    bad = ~np.isfinite(values)
    if bad.any():
        raise UserError(f"{where}: '{key}' {_unusable(array, bad)}")
    return values


def _unusable(array: np.ndarray, bad: np.ndarray) -> str:
    """What is wrong with the `bad` entries of `array`, and what to do."""
    bad = bad.reshape(len(bad), -1)
    row = int(np.argmax(bad.any(axis=1)))
    column = int(np.argmax(bad[row]))
    value = array.reshape(len(array), -1)[row, column]
    if np.isfinite(value):
        return f"is {value:g} in row {row}, which is beyond float32 (3.4e38); rescale it"
    if bad[:, column].all() and bad.shape[1] > 1:
        return (
            f"holds NaN or inf in all rows of dimension {column}; leave that dimension out, or"
            " store 0 where 0/0 came of bounds that are equal"
        )
    return (
        f"holds NaN or inf, first in row {row}; remove the episodes that contain such rows or get"
        " an intact file"
    )
