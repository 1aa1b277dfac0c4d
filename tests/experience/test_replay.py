"""The circular tape: golden parity, eviction, and what sampling gives."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experience.replay import TapeReplay, replay_bytes
from tests import golden_map
from tests.experience.tapes import counting_tape

add = eqx.filter_jit(TapeReplay.add)


def filled(capacity, lengths, at_once=None):
    """A replay with episodes of these lengths; the numbers in it count up from 0."""
    replay = TapeReplay.empty(capacity, 2, 1, episodes_at_once=at_once or len(lengths))
    return add(replay, counting_tape(lengths), jnp.asarray(lengths))


def starts_in_order(replay):
    slots = (int(replay.oldest) + np.arange(int(replay.episodes))) % len(replay.starts)
    return np.asarray(replay.starts)[slots]


def same_books(a, b):
    np.testing.assert_array_equal(starts_in_order(a), starts_in_order(b))
    assert (int(a.size), int(a.write)) == (int(b.size), int(b.write))
    for name in ("state", "action", "next_reward", "next_penalty", "flags"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


@pytest.fixture(scope="module")
def golden():
    """The published buffer's history and ours: (arrays, replay after each add)."""
    arrays = golden_map.load("tape_buffer")
    lengths = [int(n) for n in arrays["episode_lengths"]]
    capacity = int(arrays["capacity"])
    replay = TapeReplay.empty(capacity, 2, 1, episodes_at_once=1)
    replays, first = [], 0
    for length in lengths:
        # one shape for all: rows past the episode are ignored
        tape = counting_tape([length, capacity + 2 - length], first=first)
        replay = add(replay, tape, jnp.array([length]))
        replays.append(replay)
        first += length
    return arrays, lengths, replays


def test_follows_the_published_buffer_after_each_add(golden):
    arrays, lengths, replays = golden
    first = int(arrays["value_0"].max()) - lengths[0] + 1
    for i, replay in enumerate(replays):
        np.testing.assert_array_equal(starts_in_order(replay), arrays[f"starts_{i}"])
        assert int(replay.size) == arrays[f"size_{i}"]
        assert int(replay.write) == arrays[f"ptr_{i}"]
        written = np.minimum(sum(lengths[: i + 1]), replay.capacity)
        values = np.asarray(arrays[f"value_{i}"])[:written] - first
        np.testing.assert_array_equal(np.asarray(replay.state)[:written, 0], values)


@pytest.mark.parametrize("group", [2, 7, 14])
def test_several_episodes_at_once_leave_what_one_by_one_leaves(golden, group):
    _, lengths, replays = golden
    replay, first = TapeReplay.empty(replays[0].capacity, 2, 1, episodes_at_once=group), 0
    for i in range(0, len(lengths), group):
        now = lengths[i : i + group]
        replay = add(replay, counting_tape(now, first=first), jnp.asarray(now))
        first += sum(now)
        same_books(replay, replays[i + len(now) - 1])


def test_evicts_down_to_the_newest_episode():
    replay = filled(10, [3, 3, 3], at_once=3)
    replay = add(replay, counting_tape([9], first=100), jnp.array([9]))
    assert starts_in_order(replay).tolist() == [9] and int(replay.size) == 9
    assert set(tape_numbers(replay.sample_tape(jax.random.key(0), 9))) == set(range(100, 109))


def test_an_episode_that_fills_the_tape_exactly():
    replay = filled(10, [3, 4], at_once=2)
    for first in (100, 200):
        replay = add(replay, counting_tape([10], first=first), jnp.array([10]))
        assert starts_in_order(replay).tolist() == [7]
        assert (int(replay.size), int(replay.episodes), int(replay.write)) == (10, 1, 7)
        tape = replay.sample_tape(jax.random.key(0), 20)
        assert tape_numbers(tape) == 2 * list(range(first, first + 10))
    transitions = replay.sample_transitions(jax.random.key(0), 500)
    assert set(np.asarray(transitions.state[:500, 0])) == set(range(200, 209))


def test_many_rounds_never_lose_track():
    """The ring of starts wraps many times too."""
    rng = np.random.default_rng(0)
    replay, first, alive = TapeReplay.empty(23, 2, 1, episodes_at_once=4), 0, []
    for _ in range(60):
        lengths = [int(n) for n in rng.integers(2, 12, 4)]
        total = sum(lengths)
        tape = counting_tape([*lengths, 50 - total], first=first)
        replay = add(replay, tape, jnp.asarray(lengths))
        for length in lengths:
            alive.append(range(first, first + length))
            first += length
            while sum(map(len, alive)) > 23:
                alive.pop(0)
        assert int(replay.episodes) == len(alive)
        assert int(replay.size) == sum(map(len, alive))
        for start, episode in zip(starts_in_order(replay), alive, strict=True):
            rows = (start + np.arange(len(episode))) % 23
            np.testing.assert_array_equal(np.asarray(replay.state)[rows, 0], episode)


def test_flags_survive_the_packing():
    lengths = [3, 5, 2]
    tape = counting_tape(lengths, ends=[True, False, True])
    replay = add(TapeReplay.empty(12, 2, 1, episodes_at_once=3), tape, jnp.asarray(lengths))
    assert eqx.tree_equal(replay.rows(jnp.arange(10)), tape)


def tape_numbers(tape):
    return np.asarray(tape.state[:, 0]).astype(int).tolist()


def test_sampled_tapes_are_whole_episodes_cut_at_the_end():
    lengths = [4, 2, 6, 9, 3]
    replay = filled(20, lengths)  # the first episode is gone and the last one wraps
    episodes = [range(4, 6), range(6, 12), range(12, 21), range(21, 24)]
    assert int(replay.episodes) == len(episodes)
    sample = eqx.filter_jit(TapeReplay.sample_tape)
    seen = set()
    for seed in range(40):
        tape = sample(replay, jax.random.key(seed), 25)
        numbers, i = tape_numbers(tape), 0
        starts = np.asarray(tape.start)
        assert len(numbers) == 25
        while i < 25:
            (episode,) = (e for e in episodes if e[0] == numbers[i])
            piece = list(episode)[: 25 - i]
            assert numbers[i : i + len(piece)] == piece
            assert starts[i : i + len(piece)].tolist() == [j == 0 for j in range(len(piece))]
            i += len(piece)
            seen.add(episode)
        np.testing.assert_array_equal(tape.action[:, 0], 10 * tape.state[:, 0])
        np.testing.assert_array_equal(tape.next_reward, 100 * tape.state[:, 0])
        np.testing.assert_array_equal(tape.next_penalty, tape.state[:, 0])
        np.testing.assert_array_equal(tape.real, tape.state[:, 0] % 3 == 0)
    assert seen == set(episodes)


def test_episodes_are_drawn_uniformly_whatever_their_length():
    replay = filled(60, [2, 30, 8, 5])
    keys = jax.random.split(jax.random.key(0), 4000)
    tapes = eqx.filter_jit(jax.vmap(lambda key: replay.sample_tape(key, 1)))(keys)
    counts = np.unique(np.asarray(tapes.state[:, 0, 0]), return_counts=True)
    assert counts[0].tolist() == [0, 2, 32, 40]
    np.testing.assert_allclose(counts[1] / 4000, 0.25, atol=5 * (0.1875 / 4000) ** 0.5)


def test_transitions_are_drawn_uniformly_and_never_from_a_final_row():
    replay = filled(20, [4, 2, 6, 9, 3])  # as above: rows 4 … 23, wrapping
    count = 40_000
    drawn = eqx.filter_jit(TapeReplay.sample_transitions)(replay, jax.random.key(0), count)
    left, reached = np.asarray(drawn.state[:count, 0]), np.asarray(drawn.state[count:, 0])
    rows, counts = np.unique(left, return_counts=True)
    final = {5, 11, 20, 23}
    assert set(rows) == set(range(4, 24)) - final
    np.testing.assert_array_equal(reached, left + 1)
    expected = 1 / 16
    error = 5 * (expected * (1 - expected) / count) ** 0.5
    np.testing.assert_allclose(counts / count, expected, atol=error)
    np.testing.assert_array_equal(drawn.rows.action[:, 0], 10 * left)
    np.testing.assert_array_equal(drawn.rows.next_reward, 99 * left)
    np.testing.assert_array_equal(drawn.rows.real, left % 3 == 0)
    assert drawn.rows.mask.all() and not drawn.rows.next_terminated.any()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_stated_size_is_the_size(dtype):
    replay = TapeReplay.empty(1000, 11, 3, episodes_at_once=1, dtype=dtype)
    stored = sum(leaf.nbytes for leaf in jax.tree.leaves(replay))
    assert abs(stored - replay_bytes(1000, 11, 3, dtype)) < 64
    # 40 M rows at hopper's sizes, the published setting
    assert replay_bytes(40_000_000, 11, 3) < 24 * 2**30


def test_half_as_many_bytes_round_states_and_actions_and_nothing_else():
    tape, lengths = counting_tape([300, 400], first=1), jnp.asarray([300, 400])
    exact, rounded = (
        add(TapeReplay.empty(1000, 2, 1, episodes_at_once=2, dtype=dtype), tape, lengths)
        for dtype in ("float32", "bfloat16")
    )
    for draw in (TapeReplay.sample_tape, TapeReplay.sample_transitions):
        drawn, kept = (draw(replay, jax.random.key(0), 500) for replay in (rounded, exact))
        moved = {
            jax.tree_util.keystr(path)
            for (path, a), b in zip(
                jax.tree.leaves_with_path(drawn), jax.tree.leaves(kept), strict=True
            )
            if not np.array_equal(a, b)
        }
        assert {name.rpartition(".")[2] for name in moved} == {"state", "action"}
        np.testing.assert_allclose(drawn.state, kept.state, rtol=2**-8)
        assert drawn.state.dtype == jnp.float32


@pytest.mark.slow
def test_rows_beyond_two_to_the_31_elements():
    """The element index of a far row does not fit 32 bits (needs 9 GB of memory)."""
    width, capacity = 1024, 2**21 + 512
    assert width * capacity > 2**31
    replay = eqx.filter_jit(lambda: TapeReplay.empty(capacity, width, 1, episodes_at_once=2))()
    # the next episode starts a thousand rows before the end, past the 2³¹st element, and wraps
    replay = eqx.tree_at(lambda r: r.write, replay, jnp.asarray(capacity - 400))
    donated = eqx.filter_jit(TapeReplay.add, donate="all")
    lengths = [500, 300]
    tape = counting_tape(lengths, first=1, state_dim=width)
    replay = donated(replay, tape, jnp.asarray(lengths))
    place = (capacity - 400 + jnp.arange(800)) % capacity
    rows = eqx.filter_jit(TapeReplay.rows)(replay, place)
    np.testing.assert_array_equal(rows.state[:, 0], np.arange(1, 801))
    np.testing.assert_array_equal(rows.state[:, -1], np.arange(1, 801))
    np.testing.assert_array_equal(rows.start, np.isin(np.arange(800), [0, 500]))
    # whatever wrapped at 32 bits would have landed in these rows
    middle = eqx.filter_jit(lambda r: (r.state[400 : capacity - 400] != 0).any())(replay)
    assert not middle
    tape = eqx.filter_jit(TapeReplay.sample_tape)(replay, jax.random.key(0), 2000)
    numbers = tape_numbers(tape)
    assert set(numbers) <= set(range(1, 801)) and {1, 501} & set(numbers)
