"""A stand-in for `mjrl.envs.mujoco_env`, which d4rl's Adroit needs and PyPI does not have."""

from typing import Any

import gym
import mujoco_py
import numpy as np
from gym import spaces
from gym.utils import seeding


class MujocoEnv(gym.Env):
    """The base class of d4rl's Adroit tasks: a simulation behind the old gym interface.

    Subclasses give `step(action)` and `reset_model()`. Unlike gym's MujocoEnv it steps once with a
    zero action at construction and calls `forward` after every reset of the simulation.
    """

    def __init__(self, model_path: str, frame_skip: int):
        self.sim = mujoco_py.MjSim(mujoco_py.load_model_from_path(model_path))
        self.model = self.sim.model
        self.data = self.sim.data
        self.frame_skip = frame_skip
        self.viewer: Any = None
        self.init_qpos = self.data.qpos.ravel().copy()
        self.init_qvel = self.data.qvel.ravel().copy()
        observation, _, _, _ = self.step(np.zeros(self.model.nu))
        low, high = self.model.actuator_ctrlrange.astype(np.float32).T
        self.action_space = spaces.Box(low, high, dtype=np.float32)
        bound = np.full(observation.size, np.inf, dtype=np.float32)
        self.observation_space = spaces.Box(-bound, bound, dtype=np.float32)

    @property
    def dt(self) -> float:
        """Seconds between two actions."""
        return self.model.opt.timestep * self.frame_skip

    def reset(
        self, *, seed: int | None = None, return_info: bool = False, options: dict | None = None
    ) -> Any:
        if seed is not None:
            self.seed(seed)
        self.sim.reset()
        self.sim.forward()
        observation = self.reset_model()
        return (observation, {}) if return_info else observation

    def reset_model(self) -> np.ndarray:
        """Put the model where an episode starts; a subclass says where."""
        raise NotImplementedError

    def mj_viewer_setup(self) -> None:
        """Make `viewer` and place its camera; a subclass says where."""
        raise NotImplementedError

    def seed(self, seed: int | None = None) -> list[int | None]:
        self.np_random, seed = seeding.np_random(seed)
        return [seed]

    def set_state(self, qpos: np.ndarray, qvel: np.ndarray) -> None:
        state = self.sim.get_state()
        self.sim.set_state(state._replace(qpos=qpos, qvel=qvel))
        self.sim.forward()

    def do_simulation(self, ctrl: np.ndarray, n_frames: int) -> None:
        self.data.ctrl[:] = ctrl
        for _ in range(n_frames):
            self.sim.step()

    def render(self, mode: str = "rgb_array", width: int = 500, height: int = 500) -> np.ndarray:
        """A picture (height, width, 3); the real mjrl draws in a window only."""
        if self.viewer is None:
            self.mj_viewer_setup()
        viewer: Any = self.viewer
        if mode != "rgb_array":
            viewer.render()
        viewer.render(width, height)
        return viewer.read_pixels(width, height, depth=False)[::-1]

    def state_vector(self) -> np.ndarray:
        return np.concatenate([self.data.qpos.ravel(), self.data.qvel.ravel()])
