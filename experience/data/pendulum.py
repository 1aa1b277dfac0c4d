"""The embedded task's data: pendulum swing-up under random torques, and other laws of action."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from experience.data.rows import Dataset
from harness.errors import UserError
from harness.files import atomic_write

EPISODES = 100
EPISODE_STEPS = 200
REDRAW_PROBABILITY = 0.2
REVERSE_PROBABILITY = 0.02

RANDOM = "pendulum-random-v1"
PUMP = "pendulum-pump-v1"
SPIN = "pendulum-spin-v1"

#: (episode, step, observation) → torque in [-1, 1], of shape (1,)
Law = Callable[[int, int, np.ndarray], np.ndarray]


def pendulum_dataset(name: str = RANDOM, seed: int = 0) -> Dataset:
    """20 000 transitions of gymnasium's Pendulum-v1, 100 episodes of 200 steps, never terminal.

    Actions are torques scaled to [-1, 1]; `name` decides their law.
    """
    import gymnasium

    env = gymnasium.make("Pendulum-v1")
    assert isinstance(env.action_space, gymnasium.spaces.Box)
    rng = np.random.default_rng(seed)
    law = LAWS[name](rng)
    actions = np.empty((EPISODES, EPISODE_STEPS, 1), np.float32)

    seeds = rng.integers(2**31, size=EPISODES)
    observations = np.empty((EPISODES, EPISODE_STEPS + 1, 3), np.float32)
    rewards = np.empty((EPISODES, EPISODE_STEPS), np.float32)
    for episode in range(EPISODES):
        observations[episode, 0], _ = env.reset(seed=int(seeds[episode]))
        for step in range(EPISODE_STEPS):
            actions[episode, step] = law(episode, step, observations[episode, step])
            observations[episode, step + 1], rewards[episode, step], *_ = env.step(
                actions[episode, step] * env.action_space.high
            )
    env.close()

    timeouts = np.zeros((EPISODES, EPISODE_STEPS), dtype=bool)
    timeouts[:, -1] = True
    return Dataset(
        observations=observations[:, :-1].reshape(-1, 3),
        actions=actions.reshape(-1, 1),
        rewards=rewards.reshape(-1),
        terminals=np.zeros(EPISODES * EPISODE_STEPS, dtype=bool),
        timeouts=timeouts.reshape(-1),
        next_observations=observations[:, 1:].reshape(-1, 3),
    )


def check_name(name: str) -> None:
    """Raises UserError for a dataset that cannot be made."""
    if name not in LAWS:
        raise UserError(
            f"dataset_name={name} is no dataset of the pendulum: choose one of {', '.join(LAWS)},"
            " or give a file of your own with env.dataset_path"
        )


def make_pendulum_dataset(path: Path, name: str = RANDOM, seed: int = 0) -> None:
    """Write `pendulum_dataset(name, seed)` to `path`, an HDF5 file in D4RL's layout.

    The file appears complete or not at all, also when several runs make it at the same time.
    """
    import h5py

    dataset = pendulum_dataset(name, seed)
    with atomic_write(path) as temporary, h5py.File(temporary, "w") as file:
        for key, array in dataset.arrays.items():
            file[key] = array


def _held(rng: np.random.Generator) -> Law:
    """A uniformly drawn torque is held and drawn again with probability 0.2 at every step, so that
    the pendulum swings rather than trembles."""
    drawn = rng.uniform(-1, 1, (EPISODES, EPISODE_STEPS)).astype(np.float32)
    redraw = rng.random(drawn.shape) < REDRAW_PROBABILITY
    redraw[:, 0] = True
    drawn_at = np.maximum.accumulate(np.where(redraw, np.arange(EPISODE_STEPS), 0), axis=1)
    actions = np.take_along_axis(drawn, drawn_at, axis=1)[..., None]
    return lambda episode, step, observation: actions[episode, step]


def _spin(rng: np.random.Generator) -> Law:
    """Full torque along the motion, which winds the pendulum up to its greatest speed and keeps it
    there, where random torques seldom lead."""
    return lambda episode, step, observation: np.array(
        [1 if observation[2] >= 0 else -1], np.float32
    )


def _pump(rng: np.random.Generator) -> Law:
    """As `_spin`, but with probability 0.02 a step it turns against the motion, and back again."""
    turns = rng.random((EPISODES, EPISODE_STEPS)) < REVERSE_PROBABILITY
    along = np.where(np.cumsum(turns, axis=1) % 2, -1, 1).astype(np.float32)
    spin = _spin(rng)
    return lambda episode, step, observation: (
        along[episode, step] * spin(episode, step, observation)
    )


LAWS: dict[str, Callable[[np.random.Generator], Law]] = {
    RANDOM: _held,
    PUMP: _pump,
    SPIN: _spin,
}
