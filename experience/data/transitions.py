"""The transitions that the world model learns from (eq. 3)."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from experience.data.rows import Dataset
from harness.errors import UserError


class WorldTransitions(NamedTuple):
    """Transitions (s, a, s', r) in file order; rewards carry the task's reward shift."""

    states: Float[np.ndarray, "transition state"]
    actions: Float[np.ndarray, "transition action"]
    next_states: Float[np.ndarray, "transition state"]
    rewards: Float[np.ndarray, " transition"]


def world_transitions(dataset: Dataset, *, last_ending: bool = False) -> WorldTransitions:
    """All transitions of all episodes, episodes longer than the horizon included.

    Rows that end an episode by timeout and the last row of the file are left out; so are
    terminal rows of a dataset without next observations, whose s' was never recorded. With
    `last_ending` a terminal last row is kept, which the published rule loses.
    Raises UserError if nothing remains.
    """
    usable = ~dataset.timeouts
    usable[-1] = last_ending and dataset.terminals[-1]
    if dataset.next_observations is None:
        usable &= ~dataset.terminals
    rows = np.flatnonzero(usable)
    if rows.size == 0:
        raise UserError(
            "the dataset has no transition between two rows of one episode; check its "
            "'terminals' and 'timeouts'"
        )
    if dataset.next_observations is None:
        next_states = dataset.observations[rows + 1]
    else:
        next_states = dataset.next_observations[rows]
    return WorldTransitions(
        states=dataset.observations[rows],
        actions=dataset.actions[rows],
        next_states=next_states,
        rewards=dataset.rewards[rows],
    )
