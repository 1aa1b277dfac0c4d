"""Recurrent dueling double DQN on tapes: the bandit's agent (eq. 37, 38, 45)."""

from dataclasses import dataclass
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from online_rl import losses
from online_rl.agent import AbstractAgent, AbstractLearner
from online_rl.encoders import MakeEncoder
from online_rl.networks import DuelingHead, Network
from online_rl.optimiser import SplitOptimiser, SplitState, polyak


@dataclass(frozen=True)
class DQNSettings:
    """The equations' constants; ε falls linearly from start to end over `eps_steps` updates."""

    gamma: float
    target_tau: float
    eps_start: float
    eps_end: float
    eps_steps: float
    head_d_hidden: int
    head_n_layers: int


class DQNLearner(AbstractLearner):
    # learned
    online: Network[DuelingHead]
    target: Network[DuelingHead]
    # optimiser
    optimiser_state: SplitState
    # progress
    updates: Int[Array, ""]


class DQNAgent(AbstractAgent[DQNLearner]):
    """`make_encoder(key)` builds the encoder in front of the dueling head; actions are one-hot."""

    settings: DQNSettings = eqx.field(static=True)
    make_encoder: MakeEncoder = eqx.field(static=True)
    optimiser: SplitOptimiser = eqx.field(static=True)
    first_action: tuple[float, ...] = eqx.field(static=True)
    rates: tuple[tuple[str, optax.Schedule], ...] = eqx.field(static=True, default=())

    def init(self, key):
        encoder_key, head_key = jax.random.split(key)
        s, encoder = self.settings, self.make_encoder(encoder_key)
        sizes = encoder.size, len(self.first_action), s.head_d_hidden, s.head_n_layers
        online = Network(encoder, DuelingHead(*sizes, key=head_key))
        return DQNLearner(
            online=online,
            # a copy: donated buffers must not be shared
            target=jax.tree.map(jnp.copy, online),
            optimiser_state=self.optimiser.init(online),
            updates=jnp.zeros((), jnp.int32),
        )

    def networks(self, learner):
        return learner.online, learner.target

    def with_networks(self, learner, networks):
        return eqx.tree_at(self.networks, learner, networks)

    def trained(self, learner):
        return {"": (learner.online, learner.optimiser_state)}

    def schedules(self, learner):
        return super().schedules(learner) | {"epsilon": self.epsilon(learner)}

    def acting(self, learner):
        return learner.online

    def act(self, learner, observation, start, memory, key, *, deterministic):
        """The best arm, or with probability ε any of them."""
        features, memory = jax.vmap(learner.online.encoder.step)(observation, start, memory)
        q = jax.vmap(learner.online.head)(features)
        count, arms = q.shape
        arm = q.argmax(-1)
        if not deterministic:
            explore_key, arm_key = jax.random.split(key)
            explore = jax.random.bernoulli(explore_key, self.epsilon(learner), (count,))
            arm = jnp.where(explore, jax.random.randint(arm_key, (count,), 0, arms), arm)
        return jax.nn.one_hot(arm, arms), memory

    def epsilon(self, learner: DQNLearner) -> Float[Array, ""]:
        """The probability of exploring, from how far the training is (eq. 38)."""
        s = self.settings
        done = jnp.minimum(learner.updates.astype(jnp.float32) / s.eps_steps, 1.0)
        return s.eps_start + (s.eps_end - s.eps_start) * done

    def update(self, learner, batch, key):
        """One step of the online network, then of the target towards it; uses no randomness."""
        s, rows = self.settings, batch.learnable()
        first_action = jnp.asarray(self.first_action)

        def all_rows(network):
            return jax.vmap(network.head)(network.encoder(batch, first_action))

        next_target_q = batch.next(all_rows(learner.target))

        def loss_fn(online):
            # one pass: its rows are the transitions' ends as well as their beginnings
            q = all_rows(online)
            result = losses.double_q(
                q=batch.current(q),
                arm=rows.action.argmax(-1),
                next_reward=rows.next_reward,
                next_terminated=rows.next_terminated,
                next_q=batch.next(q),
                next_target_q=next_target_q,
                gamma=s.gamma,
            )
            return losses.masked_mean(result.error, rows.mask), result

        (loss, result), grads = eqx.filter_value_and_grad(loss_fn, has_aux=True)(learner.online)
        online, optimiser_state = self.optimiser.step(
            learner.online, grads, learner.optimiser_state
        )
        figures = {
            "loss_q": loss,
            "q_mean": losses.masked_mean(result.q, rows.mask),
            "target_mean": losses.masked_mean(result.target, rows.mask),
            "target_network_mean": losses.masked_mean(result.next_value, rows.mask),
        }
        target = polyak(learner.target, online, s.target_tau)
        after = DQNLearner(
            online=online,
            target=target,
            optimiser_state=optimiser_state,
            updates=learner.updates + 1,
        )
        return after, figures


class Plasticity(NamedTuple):
    """How much the head's last hidden layer can still tell apart."""

    stable_rank: Float[Array, ""]
    feature_norm: Float[Array, ""]


def plasticity(features: Float[Array, "row feature"], share: float = 0.99) -> Plasticity:
    """The fewest singular values that make up `share` of their sum, and the rows' mean norm
    (eq. 53)."""
    singular = jnp.linalg.svd(features, compute_uv=False)
    within = jnp.cumsum(singular) < share * singular.sum()
    return Plasticity(
        (within.sum() + 1).astype(jnp.float32), jnp.linalg.norm(features, axis=1).mean()
    )
