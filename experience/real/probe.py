"""A few steps in a real environment, so that its faults show before anything is trained."""

from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from experience.real.finite import require_finite
from experience.wrapper import environment_name, make_env
from harness.configuration.groups import EnvConfig
from harness.errors import UserError

#: Steps that are tried, with no action and both extremes in turn.
STEPS = 9


@dataclass(frozen=True)
class Probed:
    """What a real environment turned out to be.

    `low` and `high` are the bounds of its own actions, which the agent's -1 and 1 stand for;
    `time_limit` is the number of steps after which it ends an episode itself, if it does.
    """

    state_dim: int
    action_dim: int
    low: Float[np.ndarray, " action"]
    high: Float[np.ndarray, " action"]
    time_limit: int | None


def probe(
    domain: str, dataset_name: str, env_config: EnvConfig | None = None, engine: str = "mujoco"
) -> Probed:
    """Make the environment of `make_env`, reset it and act a few times.

    Raises UserError for what `make_env` refuses, and for a state or reward that is not finite or of
    another shape than the environment says.
    """
    name = environment_name(domain, dataset_name, env_config)
    with closing(make_env(domain, dataset_name, env_config, engine)) as env:
        shape = env.observation_space.shape
        size = env.action_space.shape[0]
        _check(name, 0, env.reset(seed=0), 0.0, shape)
        for step in range(STEPS):
            action = np.full(size, (0.0, 1.0, -1.0)[step % 3], np.float32)
            observation, reward, done, _ = env.step(action)
            _check(name, step + 1, observation, reward, shape)
            if done:
                _check(name, 0, env.reset(), 0.0, shape)
        own = env.unwrapped
        return Probed(
            state_dim=shape[0],
            action_dim=size,
            low=getattr(own, "low", -np.ones(size)),
            high=getattr(own, "high", np.ones(size)),
            time_limit=getattr(env.spec, "max_episode_steps", None),
        )


def _check(name: str, step: int, observation: Any, reward: float, shape: tuple[int, ...]) -> None:
    found = np.shape(observation)
    if found != shape:
        raise UserError(
            f"{name} returned an observation of shape {found} where its observation_space says"
            f" {shape}: correct the environment"
        )
    require_finite(name, step, np.asarray(observation)[None], np.array([reward]))
