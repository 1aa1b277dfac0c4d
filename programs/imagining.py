"""An agent in the imagined environment."""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from experience.collector import Policy, RolloutSettings, collect
from experience.history_store import HistoryStore
from experience.rollout_statistics import RolloutStats
from experience.tape import Tape
from offline_world.world import AbstractWorld
from online_rl.agent import AbstractAgent, Learner

#: (learner, world, histories, key) → episodes end to end, their lengths, statistics
Imagine = Callable[
    [Learner, AbstractWorld, HistoryStore, PRNGKeyArray], tuple[Tape, Array, RolloutStats]
]


def make_imagine(agent: AbstractAgent[Learner], rollouts: RolloutSettings) -> Imagine[Learner]:
    """A collection of the stochastic policy. Pure: compile it."""

    def imagine(learner, world, histories, key):
        policy = as_policy(agent, learner, deterministic=False)
        return collect(policy, world, histories, key, rollouts)

    return imagine


def as_policy(agent: AbstractAgent[Learner], learner: Learner, *, deterministic: bool) -> Policy:
    """The agent as the collector sees it."""

    def act(observation, start, memory, key):
        return agent.act(learner, observation, start, memory, key, deterministic=deterministic)

    return Policy(
        initial_memory=lambda batch: agent.initial_memory(learner, batch),
        absorb=lambda observations, start, memory: agent.absorb(
            learner, observations, start, memory
        ),
        act=act,
        first_action=jnp.asarray(agent.first_action),
    )
