"""Tapes whose every number says where it comes from."""

import jax.numpy as jnp
import numpy as np

from experience.tape import Tape


def counting_tape(lengths, *, first=0, state_dim=2, action_dim=1, ends=None) -> Tape:
    """Episodes of `lengths` rows; row i holds i in its state and penalty, 10i in its action and
    100i in its reward.

    `ends` gives per episode whether its last transition is terminal (else it is truncated).
    """
    total = int(np.sum(lengths))
    start = np.zeros(total, bool)
    starts = np.cumsum([0, *lengths[:-1]])
    start[starts] = True
    terminated, truncated = np.zeros(total, bool), np.zeros(total, bool)
    for i, (begin, length) in enumerate(zip(starts, lengths, strict=True)):
        flags = truncated if ends is None or not ends[i] else terminated
        # the final row repeats the last transition's
        flags[begin + length - 2 : begin + length] = True
    number = np.arange(first, first + total, dtype=np.float32)
    return Tape(
        state=jnp.asarray(np.repeat(number[:, None], state_dim, 1)),
        action=jnp.asarray(np.repeat(10 * number[:, None], action_dim, 1)),
        next_reward=jnp.asarray(100 * number),
        next_penalty=jnp.asarray(number),
        start=jnp.asarray(start),
        next_terminated=jnp.asarray(terminated),
        next_truncated=jnp.asarray(truncated),
        real=jnp.asarray(number % 3 == 0),
    )
