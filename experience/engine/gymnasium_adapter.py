"""A gymnasium environment behind the old gym interface that D4RL's environments have."""

import sys
from typing import Any

import gym
import gymnasium
import numpy as np
from gym.spaces import Box

from harness.errors import UserError
from harness.foreign import foreign_code

_STEP = "(observation, reward, terminated, truncated, info)"


class GymnasiumAdapter(gym.Env):
    """Actions in [-1, 1]; `step` gives (observation, reward, done, info), `reset` the observation.

    `low` and `high` are the bounds of the environment's own actions, which -1 and 1 stand for.

    **Raises:** `UserError` where the id is unknown, its arguments do not fit, the spaces are not
    flat boxes with finite action bounds, and whenever the environment itself raises, returns other
    things than gymnasium asks for, or its MuJoCo simulation becomes unstable.
    """

    def __init__(self, env_id: str, kwargs: dict):
        self._name = f"env.id={env_id}"
        with foreign_code(f"making {self._name} with env.kwargs={kwargs}"):
            self.modern = _make(env_id, kwargs)
        self.spec = self.modern.spec  # the id and the time limit
        actions = _flat_box(env_id, "action", self.modern.action_space)
        observations = _flat_box(env_id, "observation", self.modern.observation_space)
        if not (np.isfinite(actions.low).all() and np.isfinite(actions.high).all()):
            raise UserError(
                f"env.id={env_id} has infinite action bounds, which cannot be scaled to [-1, 1]; "
                "give it finite bounds."
            )
        self._action_type = actions.dtype
        self._whole = not np.issubdtype(actions.dtype, np.floating)
        # the width of an 8-bit box has no place in 8 bits
        wide = np.float64 if self._whole else actions.dtype
        self.low, self.high = actions.low.astype(wide), actions.high.astype(wide)
        self._half_range = 0.5 * (self.high - self.low)
        self.action_space = Box(-1.0, 1.0, shape=actions.shape, dtype=np.float32)
        self.observation_space = Box(
            observations.low, observations.high, dtype=observations.dtype.type
        )
        self._next_seed: int | None = None
        self._warnings = _mujoco_warnings(self.modern)

    def seed(self, seed: int | None = None) -> list[int | None]:
        """Seed the next reset, as gymnasium has no seeding of its own outside `reset`."""
        self._next_seed = seed
        return [seed]

    def reset(
        self, *, seed: int | None = None, return_info: bool = False, options: dict | None = None
    ) -> Any:
        seed, self._next_seed = (self._next_seed if seed is None else seed), None
        with foreign_code(f"reset of {self._name}"):
            returned = self.modern.reset(seed=seed, options=options)
        if not (isinstance(returned, tuple) and len(returned) == 2):
            raise self._old_interface("reset", "(observation, info)")
        return returned if return_info else returned[0]

    def step(self, action: np.ndarray):
        with foreign_code(f"step of {self._name}"):
            returned = self._step(self._own_action(action))
        if not (isinstance(returned, tuple) and len(returned) == 5):
            raise self._old_interface("step", _STEP)
        observation, reward, terminated, truncated, info = returned
        if self._warnings is not None and self._warnings.any():
            raise UserError(
                f"the MuJoCo simulation of {self._name} became unstable (MuJoCo warned of NaN or"
                " huge numbers and started it again): give it a smaller timestep or weaker forces"
            )
        if truncated:
            info["TimeLimit.truncated"] = not terminated
        return observation, self._number(reward), bool(terminated or truncated), info

    def render(self, mode: str = "rgb_array") -> Any:
        """A picture (height, width, 3) of the present state, where the environment draws any.

        **Raises:** `UserError` where it does not, and where what it draws with is not installed.
        """
        own = self.modern.unwrapped
        modes = own.metadata.get("render_modes", ())
        if mode not in modes:
            raise UserError(
                f"{self._name} does not draw mode={mode}; it draws {', '.join(modes) or 'nothing'}"
            )
        # gymnasium asks for the mode when an environment is made, where nobody knows it yet
        own.render_mode = mode
        with foreign_code(f"render of {self._name}"):
            try:
                return np.asarray(self.modern.render())
            except gymnasium.error.DependencyNotInstalled as error:
                raise UserError(f"{self._name} cannot be drawn here: {error}") from error

    def close(self) -> None:
        self.modern.close()

    def _own_action(self, action: np.ndarray) -> np.ndarray:
        scaled = np.clip(self.low + (action + 1.0) * self._half_range, self.low, self.high)
        return np.round(scaled).astype(self._action_type) if self._whole else scaled

    def _step(self, action: np.ndarray) -> tuple:
        try:
            return self.modern.step(action)
        except ValueError as error:
            # gymnasium's own wrappers take the tuple apart
            if "unpack" in str(error):
                raise self._old_interface("step", _STEP) from error
            raise

    def _number(self, reward: Any) -> float:
        array = np.asarray(reward)
        if array.size != 1 or array.dtype.kind not in "fiub":
            raise UserError(
                f"step of {self._name} returned the reward {reward!r}, which is not one number:"
                " correct the environment"
            )
        return float(array.reshape(()))

    def _old_interface(self, method: str, wanted: str) -> UserError:
        return UserError(
            f"{method} of {self._name} does not return gymnasium's {wanted}: bring the environment"
            " to gymnasium's interface"
        )


def _make(env_id: str, kwargs: dict) -> gymnasium.Env:
    """The environment; UserError where gymnasium itself refuses to make one."""
    try:
        # Its checker's advice concerns an environment's author, not someone who trains on it.
        return gymnasium.make(env_id, disable_env_checker=True, **kwargs)
    except (gymnasium.error.Error, ModuleNotFoundError, TypeError) as error:
        if isinstance(error, TypeError) and "argument" not in str(error):
            raise  # from within the constructor
        raise UserError(
            f"env.id={env_id} with env.kwargs={kwargs} is not one that gymnasium can make "
            f"({error}); check the id and that its package is installed."
        ) from error


def _mujoco_warnings(env: gymnasium.Env) -> np.ndarray | None:
    """A view of how often MuJoCo warned of each thing that tells an unstable simulation."""
    # whoever simulates with it has imported it by now
    mujoco = sys.modules.get("mujoco")
    data: Any = getattr(env.unwrapped, "data", None)
    if mujoco is None or not isinstance(data, mujoco.MjData):
        return None
    first, last = mujoco.mjtWarning.mjWARN_BADQPOS, mujoco.mjtWarning.mjWARN_BADCTRL
    return data.warning.number[int(first) : int(last) + 1]


def _flat_box(env_id: str, role: str, space: gymnasium.Space) -> gymnasium.spaces.Box:
    if not isinstance(space, gymnasium.spaces.Box) or len(space.shape) != 1:
        raise UserError(
            f"env.id={env_id} has the {role} space {space}, but only flat vectors of real numbers "
            "(a one-dimensional Box) are supported; choose or wrap another environment."
        )
    return space
