"""Real environments that start from any given state, for the compounding-error study (eq. 54)."""

import numpy as np
from jaxtyping import Float

from catalogue import domains
from experience.environment_names import PENDULUM_ID
from experience.wrapper import make_env
from harness.configuration.groups import EnvConfig
from harness.errors import UserError


class LocomotionOracle:
    """Steps D4RL's and NeoRL's locomotion tasks from a state given as an observation.

    D4RL's observations lack the x position; it is taken as 0, which no reward or observation
    depends on. Hopper's and walker2d's velocities are clipped to [-10, 10] in an observation, so a
    faster state cannot be told from one.
    """

    def __init__(self, domain: str, dataset_name: str, engine: str = "mujoco"):
        env = make_env(domain, dataset_name, engine=engine)
        from experience.engine.seeding import innermost

        env.reset(seed=0)
        # Below the time limit, which would end a long walk through given states.
        self._env = env.unwrapped
        self._simulation = innermost(env)
        self._positions = self._simulation.model.nq
        self._lacks_x = domain == domains.D4RL_LOCO

    def set_state(self, observation: Float[np.ndarray, " state"]) -> None:
        """Put the robot where `observation` was made, with the engine's memory cleared."""
        state = np.asarray(observation, np.float64)
        if self._lacks_x:
            state = np.concatenate([[0.0], state])
        self._simulation.sim.reset()
        self._simulation.set_state(state[: self._positions], state[self._positions :])

    def step(self, action: Float[np.ndarray, " action"]) -> tuple[np.ndarray, float, bool]:
        """Act, actions in [-1, 1]; returns the next observation, the reward, and whether the robot
        fell, after which it can be stepped on."""
        observation, reward, terminated, _ = self._env.step(action)
        return observation, float(reward), bool(terminated)


class PendulumOracle:
    """Steps gymnasium's Pendulum-v1 from an observation [cos angle, sin angle, velocity]."""

    def __init__(self):
        env = make_env(domains.PENDULUM, PENDULUM_ID)
        env.reset(seed=0)
        self._env = env.unwrapped
        self._pendulum = self._env.modern.unwrapped

    def set_state(self, observation: Float[np.ndarray, "3"]) -> None:
        """Put the pendulum where `observation` was made."""
        cosine, sine, velocity = np.asarray(observation, np.float64)
        self._pendulum.state = np.array([np.arctan2(sine, cosine), velocity])

    def step(self, action: Float[np.ndarray, "1"]) -> tuple[np.ndarray, float, bool]:
        """Act, actions in [-1, 1]; returns the next observation, the reward and False: it never
        ends."""
        observation, reward, terminated, _ = self._env.step(action)
        return observation, float(reward), bool(terminated)


#: A true environment that can be put into any state of its dataset.
Oracle = LocomotionOracle | PendulumOracle


def make_oracle(
    domain: str, dataset_name: str, env_config: EnvConfig | None = None, engine: str = "mujoco"
) -> Oracle:
    """The oracle of a dataset's environment.

    **Raises:** `UserError` for tasks whose full state an observation does not give (Adroit,
    AntMaze) and for custom environments other than Pendulum-v1.
    """
    if domain in (domains.D4RL_LOCO, domains.NEORL):
        return LocomotionOracle(domain, dataset_name, engine)
    env_id = None if env_config is None else env_config.id
    if (domain == domains.PENDULUM and not env_id) or env_id == PENDULUM_ID:
        return PendulumOracle()
    if domain == domains.CUSTOM:
        raise UserError(
            f"env.id={env_id} has no oracle environment, as one of your own cannot be put into the"
            " state that an observation describes; errors are those against the logged trajectories"
        )
    raise UserError(
        f"dataset_name={dataset_name} of domain {domain} has no oracle environment, as its "
        "observations do not give the simulator's full state; choose d4rl_loco, neorl or pendulum."
    )
