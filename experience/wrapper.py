"""The real environments under their datasets' names."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from catalogue import domains
from experience.engine import EngineInfo, install, quiet_gym
from experience.environment_names import PENDULUM_ID
from experience.tasks import get_task
from harness.configuration.groups import EnvConfig
from harness.errors import UserError

if TYPE_CHECKING:
    import gym


@runtime_checkable
class RealEnv(Protocol):
    """What `make_env` gives: gym 0.23.1's interface, which has no types of its own."""

    @property
    def observation_space(self) -> Any: ...

    @property
    def action_space(self) -> Any: ...

    @property
    def spec(self) -> Any: ...

    @property
    def unwrapped(self) -> Any: ...

    def reset(self, *, seed: int | None = None) -> Float[np.ndarray, " state"]: ...

    def step(
        self, action: Float[np.ndarray, " action"]
    ) -> tuple[Float[np.ndarray, " state"], float, bool, dict[str, Any]]: ...

    def close(self) -> None: ...


def flat_sizes(env: RealEnv) -> tuple[int, int]:
    """How many numbers a state and an action have."""
    return env.observation_space.shape[0], env.action_space.shape[0]


def make_env(
    domain: str, dataset_name: str, env_config: EnvConfig | None = None, engine: str = "mujoco"
) -> RealEnv:
    """The environment that a dataset was collected in, behind gym 0.23.1's interface.

    **Arguments:**

    - `domain`: d4rl_loco, neorl, adroit, antmaze, custom or pendulum.
    - `dataset_name`: e.g. `hopper-medium-v2` or `Hopper-v3-low`.
    - `env_config`: for custom (and, optionally, pendulum) the gymnasium environment: `id` and
      `kwargs`.
    - `engine`: `mujoco`, or `mujoco_py` for a user's own installation of it.

    **Returns:** an environment whose `step` gives (observation, reward, done, info), whose actions
    lie in [-1, 1] and whose `reset(seed=...)` restarts all of its randomness. AntMaze rewards are
    the environment's own 0 and 1. Numpy's global generator is left as found, always.

    **Raises:** `UserError` for an unknown domain or name, an engine that is not there, and spaces
    that the agent cannot act in.
    """
    name = dataset_name
    if domain not in domains.DESCRIBED:
        # own data is named apart, but made in the environment of a published dataset
        name = get_task(domain, dataset_name).environment or dataset_name
    engine_info(domain, engine)
    from experience.engine.seeding import SeededReset, untouched_global_generator

    with untouched_global_generator():
        env = _FACTORIES[domain](name, env_config)
    _check_action_bounds(dataset_name, env.action_space)
    return SeededReset(env)


def environment_name(domain: str, dataset_name: str, env_config: EnvConfig | None = None) -> str:
    """What to call the environment of `make_env` when it is at fault."""
    if domain in domains.DESCRIBED:
        own = None if env_config is None else env_config.id
        return f"env.id={own or PENDULUM_ID}"
    return f"the environment of dataset_name={dataset_name}"


def engine_info(domain: str, engine: str = "mujoco") -> EngineInfo:
    """The simulator behind `make_env(domain, ...)`, which this also makes ready for use.

    **Raises:** `UserError` for an engine that is unknown or not there.
    """
    if domain not in domains.DESCRIBED:
        return install(engine)
    quiet_gym()
    import gymnasium

    return EngineInfo("gymnasium", gymnasium.__version__)


def _make_d4rl(dataset_name: str, _: EnvConfig | None) -> "gym.Env":
    import gym

    return gym.make(dataset_name)


def _make_antmaze(dataset_name: str, env_config: EnvConfig | None) -> "gym.Env":
    from experience.engine.antmaze import tidy_maze_construction

    with tidy_maze_construction():
        return _make_d4rl(dataset_name, env_config)


def _make_neorl(dataset_name: str, _: EnvConfig | None) -> "gym.Env":
    from neorl.environments import make_environment

    return make_environment(dataset_name)


def _make_custom(dataset_name: str, env_config: EnvConfig | None) -> "gym.Env":
    if env_config is None or not env_config.id:
        raise UserError(
            f"dataset_name={dataset_name} of domain custom needs env.id, the gymnasium id of its "
            "environment; add env.id=<id> to the command."
        )
    from experience.engine.gymnasium_adapter import GymnasiumAdapter

    return GymnasiumAdapter(env_config.id, dict(env_config.kwargs or {}))


def _make_pendulum(dataset_name: str, env_config: EnvConfig | None) -> "gym.Env":
    if env_config is not None and env_config.id:
        return _make_custom(dataset_name, env_config)
    from experience.engine.gymnasium_adapter import GymnasiumAdapter

    return GymnasiumAdapter(PENDULUM_ID, {})


_FACTORIES: dict[str, Callable[[str, EnvConfig | None], "gym.Env"]] = {
    domains.D4RL_LOCO: _make_d4rl,
    domains.NEORL: _make_neorl,
    domains.ADROIT: _make_d4rl,
    domains.ANTMAZE: _make_antmaze,
    domains.CUSTOM: _make_custom,
    domains.PENDULUM: _make_pendulum,
}


def _check_action_bounds(dataset_name: str, actions: Any) -> None:
    low, high = actions.low, actions.high
    if (low != -1).any() or (high != 1).any():
        raise UserError(
            f"dataset_name={dataset_name} has an environment with actions from {low.min()} to "
            f"{high.max()}, but the agent's lie in [-1, 1]; choose one of the supported datasets."
        )
