"""A gymnasium environment behind the old gym interface that D4RL's environments have."""

import gym
import gymnasium
import numpy as np

from harness.errors import UserError


class GymnasiumAdapter(gym.Env):
    """Actions in [-1, 1]; `step` gives (observation, reward, done, info), `reset` the observation.

    **Raises:** `UserError` where the id is unknown, its arguments do not fit, or the spaces are not
    flat boxes with finite action bounds.
    """

    def __init__(self, env_id: str, kwargs: dict):
        try:
            # Its checker's advice concerns an environment's author, not someone who trains on it.
            self.modern = gymnasium.make(env_id, disable_env_checker=True, **kwargs)
        except (gymnasium.error.Error, ModuleNotFoundError, TypeError) as error:
            raise UserError(
                f"env.id={env_id} with env.kwargs={kwargs} is not one that gymnasium can make "
                f"({error}); check the id and that its package is installed."
            ) from error
        self.spec = self.modern.spec  # the id and the time limit
        actions, observations = self.modern.action_space, self.modern.observation_space
        _check_flat_box(env_id, "action", actions)
        _check_flat_box(env_id, "observation", observations)
        if not (np.isfinite(actions.low).all() and np.isfinite(actions.high).all()):
            raise UserError(
                f"env.id={env_id} has infinite action bounds, which cannot be scaled to [-1, 1]; "
                "give it finite bounds."
            )
        self._low = actions.low
        self._half_range = 0.5 * (actions.high - actions.low)
        self._high = actions.high
        self.action_space = gym.spaces.Box(-1.0, 1.0, shape=actions.shape, dtype=np.float32)
        self.observation_space = gym.spaces.Box(
            observations.low, observations.high, dtype=observations.dtype
        )
        self._next_seed: int | None = None

    def seed(self, seed: int | None = None) -> list[int | None]:
        """Seed the next reset, as gymnasium has no seeding of its own outside `reset`."""
        self._next_seed = seed
        return [seed]

    def reset(self, *, seed: int | None = None) -> np.ndarray:
        seed, self._next_seed = (self._next_seed if seed is None else seed), None
        observation, _ = self.modern.reset(seed=seed)
        return observation

    def step(self, action: np.ndarray):
        scaled = np.clip(self._low + (action + 1.0) * self._half_range, self._low, self._high)
        observation, reward, terminated, truncated, info = self.modern.step(scaled)
        if truncated:
            info["TimeLimit.truncated"] = not terminated
        return observation, float(reward), bool(terminated or truncated), info

    def close(self) -> None:
        self.modern.close()


def _check_flat_box(env_id: str, role: str, space: gymnasium.Space) -> None:
    if not isinstance(space, gymnasium.spaces.Box) or len(space.shape) != 1:
        raise UserError(
            f"env.id={env_id} has the {role} space {space}, but only flat vectors of real numbers "
            "(a one-dimensional Box) are supported; choose or wrap another environment."
        )
