"""From a task to its dataset in memory: find the file, read it, check it (spec 1.1)."""

import dataclasses
from pathlib import Path

import numpy as np

from experience.data.origin import OriginOf, find_origin
from experience.data.rows import Dataset
from experience.data.sources import hdf5
from experience.data.sources.d4rl_files import d4rl_path
from experience.tasks import Task
from harness.errors import UserError
from neorl.datasets import dataset_path as neorl_path

__all__ = ["Dataset", "check_dimensions", "load_dataset"]

# float32 arithmetic on the way into a file moves a bound by far less than this
_ACTION_ROUNDING = 1e-4


def load_dataset(task: Task, origin_of: OriginOf = find_origin) -> Dataset:
    """The dataset of `task`, checked, with the task's reward shift added to its rewards.

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
    if task.source == "minari":
        from experience.data.sources import minari_local

        dataset_id = task.dataset_path.removeprefix("minari:")
        where = f"dataset {task.dataset_path}"
        return minari_local.read(dataset_id, where, origin_of), where

    if task.is_published:
        path = (d4rl_path if task.source == "d4rl" else neorl_path)(task.dataset_name)
        fetch = f"`python get_all_datasets.py {task.dataset_name}`"
        missing = f"download it with {fetch} or put the file there by hand"
        damaged = f"delete it and download it again with {fetch}"
    else:
        path = Path(task.dataset_path).expanduser()
        missing = "correct env.dataset_path (an HDF5 file in D4RL's layout, or minari:<dataset id>)"
        damaged = "write the file again"
        if task.environment is not None:
            missing = (
                f"collect it with `python make_dataset.py {task.dataset_name}`, or say with"
                " env.dataset_path where it is"
            )
    if task.source == "pendulum":
        damaged = "delete it and it will be made again"
        if not path.exists():
            from experience.data.pendulum import make_pendulum_dataset

            make_pendulum_dataset(path, task.dataset_name)

    where = f"dataset {task.dataset_name} ({path})"
    if not path.is_file():
        raise UserError(f"{where} does not exist; {missing}")
    if task.source == "neorl":
        from experience.data.sources import neorl_npz

        return neorl_npz.read(path, task.horizon, where, damaged), where
    return hdf5.read(path, where, damaged, origin_of), where


def _check_actions(actions: np.ndarray, where: str) -> None:
    outside = (np.abs(actions) > 1 + _ACTION_ROUNDING).any(axis=1)
    if outside.any():
        row = int(np.argmax(outside))
        raise UserError(
            f"{where}: 'actions' leaves [-1, 1], first in row {row} ({actions[row]}); "
            "rescale the actions from the environment's bounds to [-1, 1]"
        )
