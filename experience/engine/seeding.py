"""Reproducible resets of old-API gym environments."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gym
import numpy as np


def innermost(env: Any) -> Any:
    """The environment below gym's wrappers and below d4rl's action normalisation."""
    env = env.unwrapped
    return getattr(env, "wrapped_env", env)


class SeededReset(gym.Wrapper):
    """Resets that depend on the given seed alone and leave the global numpy generator as found.

    D4RL's wrappers do not pass a seed on, and its AntMaze draws the goal from the global generator:
    this wrapper seeds the innermost environment and lends it a global generator of its own.
    """

    def __init__(self, env: gym.Env):
        super().__init__(env)
        self._global_state = _fresh_global_state(None)

    @property
    def _max_episode_steps(self) -> int | None:
        """The time limit in steps, as d4rl's functions ask for it; gym hides private names."""
        return None if self.spec is None else self.spec.max_episode_steps

    def seed(self, seed: int | np.integer | None = None) -> list[int | None]:
        """Restart all of the environment's randomness, from the operating system's for None."""
        # gym's seeding refuses numpy's integers
        seed = None if seed is None else int(seed)
        innermost(self.env).seed(seed)
        self._global_state = _fresh_global_state(seed)
        return [seed]

    def reset(
        self,
        *,
        seed: int | np.integer | None = None,
        return_info: bool = False,
        options: dict | None = None,
        **unknown: Any,
    ) -> Any:
        """Start an episode; `seed` restarts all of the environment's randomness, as `seed(seed)`.

        Returns the observation, with `return_info` (observation, {}). No environment here has
        `options` or anything else, so they are ignored.
        """
        if seed is not None:
            self.seed(seed)
        with self._own_global_generator():
            observation = self.env.reset()
        return (observation, {}) if return_info else observation

    @contextmanager
    def _own_global_generator(self) -> Iterator[None]:
        callers = np.random.get_state()
        np.random.set_state(self._global_state)
        try:
            yield
        finally:
            self._global_state = np.random.get_state()
            np.random.set_state(callers)


def _fresh_global_state(seed: int | None) -> dict:
    """A state for numpy's global generator; unlike `np.random.seed` it takes seeds of any size."""
    bits = np.random.MT19937(np.random.SeedSequence(seed))
    return np.random.RandomState(bits).get_state(legacy=False)


@contextmanager
def untouched_global_generator() -> Iterator[None]:
    """Whatever is drawn from numpy's global generator inside, it is left as found."""
    state = np.random.get_state()
    try:
        yield
    finally:
        np.random.set_state(state)
