"""An environment with a fault of your choice, which worker processes import too."""

import time

import gymnasium
import numpy as np
from gymnasium.envs.classic_control import PendulumEnv
from gymnasium.envs.mujoco.inverted_pendulum_v5 import InvertedPendulumEnv


class Faulty(PendulumEnv):
    """A pendulum that misbehaves as `fault` says, at the step `late` of each episode."""

    def __init__(self, fault: str, late: int = 1):
        if fault == "constructor":
            raise KeyError("no such file")
        if fault == "exit":
            raise SystemExit(3)
        super().__init__()
        self.fault, self.late, self.count = fault, late, 0
        if fault == "bytes":
            self.action_space = gymnasium.spaces.Box(0, 255, (1,), np.uint8)
        if fault == "fixed":
            self.action_space = gymnasium.spaces.Box(1, 1, (1,), np.float32)

    def reset(self, **settings):
        self.count = 0
        observation, info = super().reset(**settings)
        if self.fault == "old reset":
            return observation
        return (observation * np.nan if self.fault == "reset" else observation), info

    def step(self, action):
        self.count += 1
        self.action = action
        observation, reward, terminated, truncated, info = super().step(np.float32(action))
        if self.count < self.late:
            return observation, reward, terminated, truncated, info
        if self.fault == "state":
            observation[1] = np.inf
        if self.fault == "far":
            observation = np.array([0.0, 1e39, 0.0])
        if self.fault == "shape":
            observation = observation[None]
        if self.fault == "slow":
            time.sleep(0.005)
        if self.fault == "raises":
            raise RuntimeError("the robot\nfell")
        if self.fault == "old step":
            return observation, reward, terminated, info
        rewards = {
            "reward": np.nan,
            "huge": 1e300,
            "column": np.array([reward]),
            "pair": np.ones(2),
            "none": None,
        }
        return observation, rewards.get(self.fault, reward), terminated, truncated, info


gymnasium.register("Faulty-v0", entry_point=Faulty, max_episode_steps=30)


class Unstable(InvertedPendulumEnv):
    """A MuJoCo simulation whose steps are far too long for its forces; MuJoCo starts it again."""

    def __init__(self):
        super().__init__(frame_skip=8)
        self.model.opt.timestep = 5.0


gymnasium.register("Unstable-v0", entry_point=Unstable)
