"""results/loco/ends.py finds the ends of a dataset's episodes."""

import runpy

import jax.numpy as jnp
import pytest

from experience.tape import Tape
from harness.checkout import ROOT

ends = runpy.run_path(str(ROOT / "results/loco/ends.py"))


@pytest.fixture
def tape():
    """Episodes of 2, 1 and 3 transitions, of which the first and the last terminate."""
    start = jnp.asarray([1, 0, 0, 1, 0, 1, 0, 0, 0], bool)
    # the row after the last transition repeats it
    terminated = jnp.asarray([0, 1, 1, 0, 0, 0, 0, 1, 1], bool)
    rows = jnp.zeros(9)
    return Tape(
        state=rows[:, None],
        action=rows[:, None],
        next_reward=rows,
        next_penalty=rows,
        start=start,
        next_terminated=terminated,
        next_truncated=~terminated,
        real=~terminated,
    )


def test_steps_to_the_end_of_episodes_that_terminate(tape):
    assert ends["steps_to_end"](tape).tolist() == [1, 0, -1, -1, -1, 2, 1, 0]
