"""Policies that collect data: uniformly random actions, a fresh network, a trained agent."""

from pathlib import Path

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Float

from experience.data.recording import AbstractBehaviour, UniformBehaviour
from experience.observation import observation
from harness.configuration.groups import MarkovModelConfig
from harness.configuration.schema import MarkovConfig
from harness.errors import UserError
from harness.run import layout
from online_rl.agent import AbstractAgent, AbstractLearner
from online_rl.builders import markov_agent
from programs.agent_files import saved_origin
from programs.saved_runs import load_run

RANDOM, RANDOM_NET = "random", "random-net"


class AgentBehaviour(AbstractBehaviour):
    """An agent that acts by its mean, or with `stochastic` as it explores, plus Gaussian noise.

    `noise` is the standard deviation of what is added to each action before it is clipped to
    [-1, 1]; what was executed is what the agent remembers. `reward_shift` is the task's.
    """

    def __init__(
        self,
        agent: AbstractAgent,
        learner: AbstractLearner,
        *,
        reward_shift: float,
        noise: float = 0.0,
        stochastic: bool = False,
    ):
        self._agent, self._learner = agent, learner
        self._noise, self._reward_shift = noise, reward_shift

        @eqx.filter_jit
        def act(learner, observation, start, memory, key):
            key, used = jax.random.split(key)
            deterministic = not stochastic
            action, memory = agent.act(
                learner, observation, start, memory, used, deterministic=deterministic
            )
            return action, memory, key

        self._act = act

    def begin(self, seed: int, copies: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._key = jax.random.key(seed)
        memory = self._agent.initial_memory(self._learner, copies)
        # committed, as later memories are: otherwise `act` compiles twice
        self._memory = jax.device_put(memory, jax.local_devices()[0])
        self._start = np.ones(copies, bool)
        self._action = np.zeros((copies, len(self._agent.first_action)), np.float32)

    def act(
        self, states: Float[np.ndarray, "copy state"], rewards: Float[np.ndarray, " copy"]
    ) -> Float[np.ndarray, "copy action"]:
        observed = observation(
            states,
            self._action,
            rewards + self._reward_shift,
            start=self._start,
            first_action=np.asarray(self._agent.first_action, np.float32),
        )
        action, self._memory, self._key = self._act(
            self._learner, observed, self._start, self._memory, self._key
        )
        self._action = np.array(action, np.float32)
        if self._noise:
            drawn = self._rng.normal(0, self._noise, self._action.shape)
            self._action = np.clip(self._action + drawn, -1, 1).astype(np.float32)
        self._start = np.zeros_like(self._start)
        return self._action


def make_behaviour(
    policy: str,
    state_dim: int,
    action_dim: int,
    *,
    seed: int,
    noise: float = 0.0,
    stochastic: bool = False,
    reward_shift: float = 0.0,
) -> AbstractBehaviour:
    """The behaviour called `policy`: random, random-net or a finished run's directory.

    `random-net` is a stochastic actor of 2 × 256 units as it is initialised, which `seed` decides;
    D4RL's random datasets come from such a one.

    **Raises:** `UserError` for a directory without an agent and one of other sizes.
    """
    if policy == RANDOM:
        return UniformBehaviour(action_dim)
    if policy == RANDOM_NET:
        # nobody asks the critics; few are initialised faster
        few = MarkovModelConfig(num_critics=2)
        config = MarkovConfig(domain="", dataset_name="", model=few)
        agent = markov_agent(config, state_dim, action_dim)
        learner = eqx.filter_jit(agent.init)(jax.random.key(seed))
        stochastic = True
    else:
        agent, learner = load_run(Path(policy), state_dim, action_dim)
        if saved_origin(Path(policy) / layout.AGENT) is not None:
            raise UserError(
                f"the agent of {policy} knows states too far from 0 for the float32 that datasets"
                " are recorded in: take an agent of another task"
            )
    return AgentBehaviour(
        agent,
        learner,
        noise=noise,
        stochastic=stochastic,
        reward_shift=reward_shift,
    )
