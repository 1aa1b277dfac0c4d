"""The histories that imagined rollouts branch off from (eq. 4)."""

import jax.numpy as jnp
import numpy as np

from experience.data.rows import Dataset
from experience.tape import Tape
from experience.tasks import Task
from harness.errors import UserError


def histories_of(dataset: Dataset, task: Task) -> Tape:
    """`build_histories` by the rules of `task`."""
    return build_histories(
        dataset,
        task.horizon,
        stop_at_first_terminal=task.stop_at_first_terminal,
        ends_by_timeout_only=task.ends_by_timeout_only,
    )


def build_histories(
    dataset: Dataset, horizon: int, *, stop_at_first_terminal: bool, ends_by_timeout_only: bool
) -> Tape:
    """The episodes of `dataset` as one tape, in file order.

    A history has at most `horizon` transitions (one less where the dataset has no next
    observations). Episodes end at terminals and timeouts, with `ends_by_timeout_only` at timeouts
    alone, and at the end of the file; with `stop_at_first_terminal` a history ends at its first
    terminal step. A history's last step is terminated or else truncated. A last step whose next
    state is unknown is dropped, and with it a history that has no other; a terminal one is kept,
    because the value of the state after it is never asked for.
    Raises UserError if no history remains.
    """
    first, transitions = _cut(dataset, horizon, stop_at_first_terminal, ends_by_timeout_only)
    if first.size == 0:
        raise UserError(
            "the dataset has no episode with a transition in it; check its 'terminals' and "
            "'timeouts'"
        )
    last = first + transitions - 1

    # tape rows: per history its transitions and then one row with the final state
    lengths = transitions + 1
    tape_end = np.cumsum(lengths) - 1
    tape_start = tape_end - transitions
    step = np.arange(tape_end[-1] + 1) - np.repeat(tape_start, lengths)
    source = np.repeat(first, lengths) + np.minimum(step, np.repeat(transitions - 1, lengths))

    state = dataset.observations[source]
    if dataset.next_observations is None:
        # after a terminal step at the end of the file there is nothing: repeat the last state
        state[tape_end] = dataset.observations[np.minimum(last + 1, dataset.rows - 1)]
    else:
        state[tape_end] = dataset.next_observations[last]

    ending = step >= np.repeat(transitions - 1, lengths)
    terminated = ending & dataset.terminals[source]
    return Tape(
        state=jnp.asarray(state),
        action=jnp.asarray(dataset.actions[source]),
        next_reward=jnp.asarray(dataset.rewards[source]),
        next_penalty=jnp.zeros(len(source)),
        start=jnp.asarray(step == 0),
        next_terminated=jnp.asarray(terminated),
        next_truncated=jnp.asarray(ending & ~terminated),
        real=jnp.ones(len(source), bool),
    )


def _cut(
    dataset: Dataset, horizon: int, stop_at_first_terminal: bool, ends_by_timeout_only: bool
) -> tuple[np.ndarray, np.ndarray]:
    """The first row and the number of transitions of every history, each of shape (history,)."""
    ends = dataset.timeouts if ends_by_timeout_only else dataset.timeouts | dataset.terminals
    last = np.union1d(np.flatnonzero(ends), [dataset.rows - 1])
    first = np.concatenate([[0], last[:-1] + 1])

    if stop_at_first_terminal:
        # a sentinel past the file stands for "no terminal step from here on"
        terminal_rows = np.append(np.flatnonzero(dataset.terminals), dataset.rows)
        last = np.minimum(last, terminal_rows[np.searchsorted(terminal_rows, first)])

    transitions = last - first + 1
    longest = horizon
    if dataset.next_observations is None:
        transitions -= ~dataset.terminals[last]
        longest -= 1
    transitions = np.minimum(transitions, longest)
    kept = transitions > 0
    return first[kept], transitions[kept]
