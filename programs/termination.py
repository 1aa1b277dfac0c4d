"""The termination rule of a task, compared with the data before anything is trained on it."""

import numpy as np

from experience.data.checks.termination import termination_disagreement
from experience.data.checks.verdict import TERMINATION, judge
from experience.data.dataset import Dataset
from experience.tasks import Task
from offline_world.termination_rule import TerminationFn
from offline_world.terminations import (
    check_termination,
    ended_rows,
    in_own_units,
    termination_fn,
)


def compared_termination(task: Task, dataset: Dataset) -> TerminationFn:
    """The rule f(s, a, s') of `task`, for states measured from the dataset's origin.

    Prints how it agrees with the file's terminal rows.
    Raises UserError for a rule that cannot be used and, for own data, for one that denies the
    terminal rows or ends most others, unless the task allows the mismatch.
    """
    rule = termination_fn(task.domain, task.dataset_name, task.termination)
    rule = in_own_units(rule, dataset.origin)
    check_termination(rule, dataset.observations.shape[1], dataset.actions.shape[1])
    next_states, known = _next_states(task, dataset)
    ended = ended_rows(rule, dataset.observations, dataset.actions, next_states)
    terminal, others = dataset.terminals & known, ~dataset.terminals & known
    print(
        f"termination rule: ends {(ended & terminal).sum():,} of {terminal.sum():,} terminal rows"
        f" and {(ended & others).sum():,} of {others.sum():,} others",
        flush=True,
    )
    name = f"env.termination={task.termination}" if task.termination else "the termination rule"
    judge(
        termination_disagreement(ended, dataset.terminals, dataset.timeouts, known, name),
        f"dataset {task.dataset_name}",
        # a published environment's rule is nobody's to correct
        published=task.termination is None,
        allowed=TERMINATION if task.allow_termination_mismatch else frozenset(),
    )
    return rule


def _next_states(task: Task, dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """s' of every row, and for which rows it is known (or does not matter)."""
    if dataset.next_observations is not None:
        return dataset.next_observations, np.ones(dataset.rows, bool)
    ends = dataset.timeouts | (dataset.terminals & (not task.ends_by_timeout_only))
    known = ~ends
    known[-1] = False
    following = np.roll(dataset.observations, -1, axis=0)
    # this rule says the same of any state
    return following, known | (task.termination == "never")
