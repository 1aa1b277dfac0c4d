"""Copies of a real environment in this process."""

import numpy as np
from jaxtyping import Float

from experience.data.origin import Origin, measured_from
from experience.real.vector import AbstractVectorEnv, VectorStep
from experience.wrapper import environment_name, flat_sizes, make_env
from harness.configuration.groups import EnvConfig


class LocalVectorEnv(AbstractVectorEnv):
    """Copies that take their turns in this process."""

    def __init__(
        self,
        domain: str,
        dataset_name: str,
        copies: int,
        env_config: EnvConfig | None = None,
        engine: str = "mujoco",
        origin: Origin | None = None,
    ):
        self.name = environment_name(domain, dataset_name, env_config)
        self.copies = copies
        self._origin = origin
        self._envs = [make_env(domain, dataset_name, env_config, engine) for _ in range(copies)]
        self.state_dim, self.action_dim = flat_sizes(self._envs[0])

    def reset(self, seeds: list[int]) -> Float[np.ndarray, "copy state"]:
        states = [env.reset(seed=seed) for env, seed in zip(self._envs, seeds, strict=True)]
        return measured_from(np.asarray(states), self._origin)

    def goals(self) -> Float[np.ndarray, "copy xy"] | None:
        goals = [getattr(env.unwrapped, "target_goal", None) for env in self._envs]
        return None if goals[0] is None else np.asarray(goals, np.float32)

    def step(self, action: Float[np.ndarray, "copy action"]) -> VectorStep:
        reached = np.empty((self.copies, self.state_dim), np.float32)
        reward = np.empty(self.copies)
        done, timeout = np.empty(self.copies, bool), np.empty(self.copies, bool)
        first_states = {}
        for copy, env in enumerate(self._envs):
            state, reward[copy], done[copy], info = env.step(action[copy])
            timeout[copy] = done[copy] and info.get("TimeLimit.truncated", False)
            reached[copy] = measured_from(state, self._origin)
            if done[copy]:
                first_states[copy] = measured_from(env.reset(), self._origin)
        observation = reached.copy()
        for copy, state in first_states.items():
            observation[copy] = state
        return VectorStep(
            observation=observation, reached=reached, reward=reward, done=done, timeout=timeout
        )

    def close(self) -> None:
        for env in self._envs:
            env.close()
