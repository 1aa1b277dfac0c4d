"""From a task to its dataset in memory: find the file, read it, check it."""

import dataclasses

import numpy as np

from experience.data.origin import OriginOf, find_origin
from experience.data.readers import READERS, Wanted, fetch, split_source
from experience.data.rows import Dataset
from experience.tasks import Task
from harness.errors import UserError

__all__ = ["Dataset", "check_dimensions", "load_dataset"]

# float32 arithmetic on the way into a file moves a bound by far less than this
_ACTION_ROUNDING = 1e-4


def load_dataset(task: Task, origin_of: OriginOf = find_origin) -> Dataset:
    """The dataset of `task`, checked, with the task's reward shift added to its rewards (eq. 2).

    Actions of a user's own data must lie in [-1, 1]; the published datasets are taken as they
    are, because their environments clip. The states of own data are measured from `origin_of`
    them, by default where float32 needs it. Pendulum's data is made first if its file is missing.
    Raises UserError for a missing or damaged file, missing keys, unequal lengths, NaN or inf,
    wrong dimensions, actions out of bounds, and contradictory NeoRL episodes.
    """
    dataset, where = _read(task, None if task.is_published else origin_of)
    check_dimensions(dataset, task.state_dim, task.action_dim, where)
    if not task.is_published:
        _check_actions(dataset.actions, where)
    if task.reward_shift:
        shifted = dataset.rewards + np.float32(task.reward_shift)
        dataset = dataclasses.replace(dataset, rewards=shifted)
    return dataset


def check_dimensions(
    dataset: Dataset, state_dim: int | None, action_dim: int | None, where: str
) -> None:
    """Raise UserError if the dataset named `where` does not fit its environment's dimensions.

    None stands for a dimension that is not known.
    """
    for key, array, expected in (
        ("observations", dataset.observations, state_dim),
        ("actions", dataset.actions, action_dim),
    ):
        if expected is not None and array.shape[1] != expected:
            raise UserError(
                f"{where}: '{key}' has {array.shape[1]} numbers a row but the environment's "
                f"{key} have {expected}; use the dataset of this environment"
            )


def _read(task: Task, origin_of: OriginOf | None) -> tuple[Dataset, str]:
    """The dataset as stored, and its name for error messages."""
    named = task.dataset_path
    if named is None:
        missing = f"download it with {fetch(task.dataset_name)} or put the file there by hand"
    elif task.environment is not None:
        missing = (
            f"collect it with `python make_dataset.py {task.dataset_name}`, or say with"
            " env.dataset_path where it is"
        )
    else:
        others = " or ".join(f"{source}:<path>" for source in READERS if source != task.source)
        missing = f"correct env.dataset_path (a file, or {others})"
    path = task.dataset_name if named is None else split_source(named, task.source)[1]
    return READERS[task.source](
        Wanted(
            name=task.dataset_name,
            path=path,
            horizon=task.horizon,
            origin_of=origin_of,
            missing=missing,
        )
    )


def _check_actions(actions: np.ndarray, where: str) -> None:
    outside = (np.abs(actions) > 1 + _ACTION_ROUNDING).any(axis=1)
    if outside.any():
        row = int(np.argmax(outside))
        raise UserError(
            f"{where}: 'actions' leaves [-1, 1], first in row {row} ({actions[row]}); "
            "rescale the actions from the environment's bounds to [-1, 1]"
        )
