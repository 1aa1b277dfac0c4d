"""Smooth episodes that begin far from each other, as arrays in D4RL's layout."""

import numpy as np


def walks(
    episodes: int, steps: int, state_dim: int, *, noise: float = 0.0, seed: int = 0
) -> dict[str, np.ndarray]:
    """Random walks, each ended by a timeout; `noise` is that of the recorded next states."""
    rng = np.random.default_rng(seed)
    start = rng.uniform(-5, 5, (episodes, 1, state_dim))
    moves = rng.uniform(-0.1, 0.1, (episodes, steps + 1, state_dim))
    path = start + np.cumsum(moves, axis=1)
    following = path[:, 1:] + noise * rng.normal(size=(episodes, steps, state_dim))
    rows = episodes * steps
    return {
        "observations": path[:, :-1].reshape(rows, state_dim).astype(np.float32),
        "actions": rng.uniform(-1, 1, (rows, 1)).astype(np.float32),
        "rewards": rng.normal(size=rows).astype(np.float32),
        "terminals": np.zeros(rows, bool),
        "timeouts": np.arange(1, rows + 1) % steps == 0,
        "next_observations": following.reshape(rows, state_dim).astype(np.float32),
    }
