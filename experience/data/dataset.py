"""From a task to its dataset in memory: find the file, read it, check it."""

import dataclasses
from pathlib import Path

import numpy as np

from catalogue import domains
from experience.data import own_file
from experience.data.checks.actions import actions_clipped, actions_outside
from experience.data.checks.episodes import broken_episodes
from experience.data.checks.finding import Finding, Problem
from experience.data.checks.lengths import (
    both_flags,
    time_limits_as_terminals,
    unknown_final_states,
    unused_rows,
)
from experience.data.checks.verdict import judge
from experience.data.origin import OriginOf, find_origin
from experience.data.readers import FILES, READERS, Wanted, fetch, split_source
from experience.data.rows import Dataset
from experience.data.sources import minari_local
from experience.environment_names import same_environment
from experience.tasks import Task
from harness.checkout import script_command
from harness.errors import UserError

__all__ = ["Dataset", "check_dimensions", "data_file", "load_dataset"]


def load_dataset(task: Task, origin_of: OriginOf = find_origin) -> Dataset:
    """The dataset of `task`, checked, with the task's reward shift added to its rewards (eq. 2).

    A user's own data is held to more than the published datasets, which are taken as they are
    (their environments clip actions, for example) and only reported on: see docs/data.md. Own rows
    that are terminal and timeouts at once count as terminal. The states of own data are measured
    from `origin_of` them, by default where float32 needs it. Pendulum's data is made first if its
    file is missing.
    Raises UserError for a missing or damaged file, missing keys, unequal lengths, NaN or inf,
    wrong dimensions, contradictory NeoRL episodes, and for own data also for actions out of bounds,
    for ends of episodes that cannot be right, and where its file says another environment (where
    Minari says so, a warning is printed).
    """
    dataset, where = _read(task, None if task.is_published else origin_of)
    check_dimensions(dataset, task.state_dim, task.action_dim, where)
    if task.is_published:
        judge(_episode_findings(task, dataset), where, published=True)
    else:
        _compare_environments(task, where)
        dataset = _checked_own(task, dataset, where)
    if task.reward_shift:
        shifted = dataset.rewards + np.float32(task.reward_shift)
        dataset = dataclasses.replace(dataset, rewards=shifted)
    return dataset


def data_file(task: Task) -> Path | None:
    """The file that the dataset of `task` is read from; None if only its source knows (Minari)."""
    find = FILES.get(task.source)
    return None if find is None else find(_path_of(task))


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
    elif task.domain not in domains.DESCRIBED:
        missing = (
            f"collect it with `{script_command('make_dataset.py')} {task.dataset_name}`, or say"
            " with env.dataset_path where it is"
        )
    else:
        others = " or ".join(f"{source}:<path>" for source in READERS if source != task.source)
        missing = f"correct env.dataset_path (a file, or {others})"
    return READERS[task.source](
        Wanted(
            name=task.dataset_name,
            path=_path_of(task),
            horizon=task.horizon,
            origin_of=origin_of,
            missing=missing,
        )
    )


def _path_of(task: Task) -> str:
    """What the source of the dataset knows it by."""
    named = task.dataset_path
    return task.dataset_name if named is None else split_source(named, task.source)[1]


def _compare_environments(task: Task, where: str) -> None:
    """Equal sizes say nothing: half-cheetah and walker have the same."""
    wanted = task.environment
    if wanted is None:
        return
    if task.source == "minari":
        said = minari_local.environment_of(_path_of(task))
        if said is not None and not same_environment(said, wanted):
            # often another version of it, and nothing that a user could correct in the dataset
            other = Finding(
                problem=Problem.OTHER_ENVIRONMENT,
                said=f"it was collected in {said}, and env.id is {wanted}",
                remedy="see that observations, actions and rewards mean the same there",
            )
            judge([other], where, published=False)
        return
    path = data_file(task)
    said = None if path is None else own_file.environment_of(path)
    if said is not None and not same_environment(said, wanted):
        raise UserError(
            f"{where} is of {said}, as its attribute 'environment' says, and not of {wanted}: give"
            f" data of that one, or the configuration of {said}; where the rows do fit, remove the"
            " attribute from the file"
        )


def _checked_own(task: Task, dataset: Dataset, where: str) -> Dataset:
    """A user's own data after its checks, with clipped actions if the task says so."""
    judge(both_flags(dataset.terminals, dataset.timeouts), where, published=False)
    dataset = dataclasses.replace(dataset, timeouts=dataset.timeouts & ~dataset.terminals)
    if task.clip_actions:
        judge(actions_clipped(dataset.actions), where, published=False)
        dataset = dataclasses.replace(dataset, actions=np.clip(dataset.actions, -1, 1))
    findings = actions_outside(dataset.actions, scaled_here=task.source == "minari")
    findings += _episode_findings(task, dataset)
    ends = dataset.timeouts | (dataset.terminals & (not task.ends_by_timeout_only))
    findings += unused_rows(ends, task.horizon)
    if not task.ends_by_timeout_only:
        findings += time_limits_as_terminals(dataset.terminals, dataset.timeouts, task.horizon)
    if dataset.next_observations is None:
        findings += unknown_final_states(dataset.terminals)
    judge(findings, where, published=False)
    return dataset


def _episode_findings(task: Task, dataset: Dataset) -> list[Finding]:
    # a terminal row of these tasks is a success, after which the episode goes on
    terminals = dataset.terminals & (not task.ends_by_timeout_only)
    following = dataset.next_observations
    if task.is_published and following is None:
        return []
    return broken_episodes(dataset.observations, following, terminals, dataset.timeouts)
