"""Observations and transitions of a tape."""

import jax.numpy as jnp
import numpy as np

from experience.tape import Transitions
from tests.experience.tapes import counting_tape


def test_observation_holds_the_previous_action_and_reward():
    tape = counting_tape([3, 2])
    expected = [
        # s, s, a, r
        [0, 0, -7, 0],
        [1, 1, 0, 0],
        [2, 2, 10, 100],
        [3, 3, -7, 0],
        [4, 4, 30, 300],
    ]
    np.testing.assert_array_equal(tape.observation(jnp.array([-7.0])), expected)


def test_a_tape_cut_inside_an_episode_takes_no_neighbour_at_its_start():
    tape = counting_tape([3]).rows(slice(0, 2))
    np.testing.assert_array_equal(tape.observation(jnp.zeros(1))[0], [0, 0, 0, 0])


def test_transitions_of_a_tape_stop_before_each_start():
    tape = counting_tape([3, 2, 2], ends=[True, False, True])
    rows = tape.learnable()
    assert rows.mask.tolist() == [True, True, False, True, False, True]
    # the penalty is taken off where rewards are learned from, and nowhere else
    assert rows.next_reward[rows.mask].tolist() == [0, 99, 297, 495]
    assert rows.next_terminated[rows.mask].tolist() == [False, True, False, True]
    assert tape.current(tape.state)[rows.mask, 0].tolist() == [0, 1, 3, 5]
    assert tape.next(tape.state)[rows.mask, 0].tolist() == [1, 2, 4, 6]


def test_independent_transitions_split_in_halves():
    rows = counting_tape([3]).learnable()
    batch = Transitions(jnp.arange(4.0)[:, None], rows)
    assert batch.current(batch.state)[:, 0].tolist() == [0, 1]
    assert batch.next(batch.state)[:, 0].tolist() == [2, 3]
    assert batch.learnable() is rows
