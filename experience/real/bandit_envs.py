"""The eight test bandits (eq. 52), compiled: all of them played side by side."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from experience.collector import Policy
from experience.history_store import HistoryStore
from experience.observation import observation
from experience.tape import Tape
from offline_world.bandit_task import ARMS, FIRST_ARM_PAYS, PULLS, SECOND_ARM_PAYS


class Played(NamedTuple):
    """Episodes of every test bandit."""

    rewards: Float[Array, "pull bandit episode"]
    #: whether the arm that pays more often was pulled
    best: Bool[Array, "pull bandit episode"]
    observations: Float[Array, "pull bandit episode obs"]


def play(policy: Policy, key: PRNGKeyArray, episodes: int) -> Played:
    """`episodes` of 100 pulls on each of the eight bandits. Pure: compile it.

    An observation is [0, one-hot of the previous arm, previous reward].
    """
    second = jnp.repeat(jnp.asarray(SECOND_ARM_PAYS), episodes)
    pays = jnp.stack([jnp.full_like(second, FIRST_ARM_PAYS), second], axis=1)
    count = second.shape[0]
    no_state = jnp.zeros((count, 1))

    def pull(carry, i):
        memory, action, reward = carry
        start = jnp.full(count, i == 0)
        observed = observation(
            no_state, action, reward, start=start, first_action=policy.first_action
        )
        act_key, pay_key = jax.random.split(jax.random.fold_in(key, i))
        action, memory = policy.act(observation=observed, start=start, memory=memory, key=act_key)
        probability = (action * pays).sum(1)
        reward = jax.random.bernoulli(pay_key, probability).astype(jnp.float32)
        best = probability >= pays.max(1)
        return (memory, action, reward), (reward, best, observed)

    start = policy.initial_memory(count), jnp.zeros((count, ARMS)), jnp.zeros(count)
    _, played = jax.lax.scan(pull, start, jnp.arange(PULLS))
    shape = (PULLS, len(SECOND_ARM_PAYS), episodes)
    return Played(*(x.reshape(*shape, *x.shape[2:]) for x in played))


def no_history() -> HistoryStore:
    """Where imagined episodes begin: nothing was pulled yet."""
    row = Tape(
        state=jnp.zeros((1, 1)),
        action=jnp.zeros((1, ARMS)),
        next_reward=jnp.zeros(1),
        next_penalty=jnp.zeros(1),
        start=jnp.ones(1, bool),
        next_terminated=jnp.zeros(1, bool),
        next_truncated=jnp.zeros(1, bool),
        real=jnp.zeros(1, bool),
    )
    return HistoryStore.from_tape(row)
