"""Data of the right shape and no meaning."""

import jax.numpy as jnp
import numpy as np

from experience.tape import Tape


def random_tape(rows: int, episode: int, state_dim: int, action_dim: int) -> Tape:
    """`rows` rows in episodes of `episode` rows, half of them real."""
    generator = np.random.default_rng(0)
    start = np.arange(rows) % episode == 0
    flags = np.zeros(rows, bool)
    return Tape(
        state=jnp.asarray(generator.normal(size=(rows, state_dim)), jnp.float32),
        action=jnp.asarray(generator.uniform(-1, 1, (rows, action_dim)), jnp.float32),
        next_reward=jnp.asarray(generator.normal(size=rows), jnp.float32),
        next_penalty=jnp.zeros(rows),
        start=jnp.asarray(start),
        next_terminated=jnp.asarray(flags),
        next_truncated=jnp.asarray(flags),
        real=jnp.asarray(generator.uniform(size=rows) < 0.5),
    )
