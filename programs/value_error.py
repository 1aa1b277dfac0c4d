"""What Q-values promise, and what the policy earns from the same states on (eq. 56)."""

import math

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Float, Int, PRNGKeyArray

from experience.observation import observation
from experience.tape import Tape
from online_rl.distribution import TanhGaussian
from online_rl.encoders import AbstractEncoder
from online_rl.networks import all_q
from online_rl.sac import SACAgent, SACLearner
from programs.surroundings import Surroundings

#: Rewards that count for less than this share of the first one are not waited for.
LEAST_DISCOUNT = 1e-3


class Values(eqx.Module):
    """Per state, with numpy leaves.

    `q`: the critics' mean Q of an action of the policy; `earned`: discounted rewards of one
    episode that begins with this action; `promised`: what Q is an estimate of, which is `earned`
    and, where the agent is paid for entropy, its discounted entropies.
    """

    q: Float[np.ndarray, " state"]
    earned: Float[np.ndarray, " state"]
    promised: Float[np.ndarray, " state"]


def draw_rows(tape: Tape, count: int, rng: np.random.Generator) -> Int[np.ndarray, " state"]:
    """At most `count` different rows of `tape` with a transition, in order."""
    transitions = np.flatnonzero(np.asarray(tape.learnable().mask))
    return np.sort(rng.permutation(transitions)[:count])


def compare_values(
    agent: SACAgent,
    learner: SACLearner,
    tape: Tape,
    rows: Int[np.ndarray, " state"],
    surroundings: Surroundings,
    key: PRNGKeyArray,
    *,
    horizon: int,
) -> Values:
    """The stochastic policy in `surroundings` from each of `rows`.

    `tape` holds the dataset's histories, of at most `horizon` transitions, which the memories have
    seen up to the row. Episodes go on past the time limit, as values do, and end where the
    surroundings terminate. The first actions, and so Q, depend on `key` alone.
    """
    settings = agent.settings
    first_action = np.asarray(agent.first_action, np.float32)
    alpha = float(np.exp(learner.log_alpha)) if settings.backup_entropy else 0.0
    # what lies before an episode's start is forgotten there
    window = np.maximum(rows[:, None] + np.arange(-horizon, 1), 0)
    seen = np.asarray(tape.observation(jax.numpy.asarray(first_action)))[window]
    start = np.asarray(tape.start)[window]
    actor_memory, critic_memory = (
        _remember(network.encoder, seen[:, :-1], start[:, :-1])
        for network in (learner.actor, learner.critic)
    )

    state = np.asarray(tape.state)[rows]
    alive, discount = np.ones(len(rows), bool), 1.0
    earned, entropies = np.zeros(len(rows)), np.zeros(len(rows))
    observed, start = seen[:, -1], start[:, -1]
    q = None
    for step in range(steps_that_count(settings.gamma)):
        action, log_prob, actor_memory = _act(
            learner, observed, start, actor_memory, jax.random.fold_in(key, step)
        )
        if q is None:
            q = np.asarray(_q(learner, observed, start, critic_memory, action))
        else:
            # the first action's entropy is no part of its Q
            # (and where a world model diverges, the policy has none)
            counted = alive & np.isfinite(log_prob)
            entropies -= discount * alpha * np.where(counted, log_prob, 0.0)
        state, reward, terminated = surroundings(step, state, np.asarray(action), alive)
        earned += discount * reward
        alive &= ~terminated
        discount *= settings.gamma
        start = np.zeros_like(start)
        observed = observation(
            state,
            np.asarray(action),
            reward.astype(np.float32),
            start=start,
            first_action=first_action,
        )
    assert q is not None
    return Values(q=q, earned=earned, promised=earned + entropies)


def steps_that_count(gamma: float) -> int:
    """How long an episode is followed for a `gamma` below 1; the first reward counts always."""
    if gamma == 0.0:
        return 1
    return max(1, math.ceil(math.log(LEAST_DISCOUNT) / math.log(gamma)))


@eqx.filter_jit
def _remember(encoder: AbstractEncoder, observed, start):
    """Memories after rows (state, time, …)."""

    def one(observed, start):
        return encoder.absorb(observed, start, encoder.initial_memory())

    return jax.vmap(one)(observed, start)


@eqx.filter_jit
def _act(learner: SACLearner, observed, start, memory, key):
    features, memory = jax.vmap(learner.actor.encoder.step)(observed, start, memory)
    policy = TanhGaussian.from_head(jax.vmap(learner.actor.head)(features))
    action, log_prob = policy.sample(key)
    return action, log_prob.sum(-1), memory


@eqx.filter_jit
def _q(learner: SACLearner, observed, start, memory, action):
    features, _ = jax.vmap(learner.critic.encoder.step)(observed, start, memory)
    return all_q(learner.critic.head, features, action).mean(0)
