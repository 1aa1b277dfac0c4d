"""Where rollouts branch off, and what of the histories is before them."""

import jax
import numpy as np
import pytest

from experience.data.rows import Dataset
from experience.histories import build_histories
from experience.history_store import HistoryStore

#: Transitions of each episode and whether its last one is terminal; one is cut at the horizon.
EPISODES = ((4, True), (7, False), (1, True), (12, True), (9, True))
HORIZON = 10


@pytest.fixture(scope="module")
def store() -> HistoryStore:
    lengths = [length for length, _ in EPISODES]
    rows, last = sum(lengths), np.cumsum(lengths) - 1
    terminals, timeouts = np.zeros(rows, bool), np.zeros(rows, bool)
    terminals[last] = [terminal for _, terminal in EPISODES]
    timeouts[last] = ~terminals[last]
    states = np.arange(rows, dtype=np.float32)[:, None]
    dataset = Dataset(
        observations=states,
        actions=np.zeros((rows, 1), np.float32),
        rewards=np.ones(rows, np.float32),
        terminals=terminals,
        timeouts=timeouts,
        next_observations=states + 1,
    )
    tape = build_histories(
        dataset, HORIZON, stop_at_first_terminal=False, ends_by_timeout_only=False
    )
    return HistoryStore.from_tape(tape)


def test_the_share_of_ends_is_that_of_all_prefixes(store):
    stored = real = ends = 0
    for length, terminal in EPISODES:
        kept = min(length, HORIZON)
        stored += kept
        for branch in range(kept + 1):
            real += branch
            ends += terminal and branch == length
    assert (ends, stored, real) == (3, 31, 10 + 28 + 1 + 55 + 45)
    assert store.end_shares() == pytest.approx((ends / stored, ends / real))


def test_rollouts_branch_off_anywhere_or_at_the_first_states(store):
    key = jax.random.key(0)
    anywhere = store.draw(key, 2000, from_s0=False)
    assert set(np.asarray(anywhere).tolist()) == set(range(len(store.timestep)))
    first = store.draw(key, 2000, from_s0=True)
    assert set(np.asarray(first).tolist()) == set(store.first_rows.tolist())
    assert (store.timestep[first] == 0).all()
