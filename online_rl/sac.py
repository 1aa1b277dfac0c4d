"""REDQ-style soft actor-critic on tapes or transitions (eq. 39 to 44).

The recurrent and the Markov agent differ in their encoder and in what they are fed, not here.
"""

from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from online_rl import losses
from online_rl.agent import AbstractAgent, AbstractLearner
from online_rl.batch import Batch
from online_rl.distribution import TanhGaussian
from online_rl.encoders import MakeEncoder
from online_rl.networks import (
    ActorHead,
    CriticHead,
    Network,
    all_q,
    make_critic_heads,
    sampled_heads,
)
from online_rl.optimiser import SplitOptimiser, SplitState, in_step, polyak
from online_rl.sac_figures import Step, update_figures


@dataclass(frozen=True)
class SACSettings:
    """The equations' constants; `target_entropy` None keeps the temperature fixed."""

    gamma: float
    target_tau: float
    real_weight: float
    backup_entropy: bool
    init_alpha: float
    target_entropy: float | None
    num_critics: int
    sampled_critics: int
    head_d_hidden: int
    head_n_layers: int


class SACLearner(AbstractLearner):
    # learned
    actor: Network[ActorHead]
    critic: Network[CriticHead]
    target: Network[CriticHead]
    log_alpha: Float[Array, ""]
    # optimisers
    actor_state: SplitState
    critic_state: SplitState
    alpha_state: optax.OptState
    # progress
    updates: Int[Array, ""]


class SACAgent(AbstractAgent[SACLearner]):
    """`make_encoder(key)` builds the encoder that actor and critic each own one of."""

    settings: SACSettings = eqx.field(static=True)
    make_encoder: MakeEncoder = eqx.field(static=True)
    actor_optimiser: SplitOptimiser = eqx.field(static=True)
    critic_optimiser: SplitOptimiser = eqx.field(static=True)
    alpha_optimiser: optax.GradientTransformation = eqx.field(static=True)
    first_action: tuple[float, ...] = eqx.field(static=True)
    rates: tuple[tuple[str, optax.Schedule], ...] = eqx.field(static=True, default=())

    def init(self, key):
        actor_key, critic_key = jax.random.split(key)
        s = self.settings

        def network(key, make_head):
            encoder_key, head_key = jax.random.split(key)
            encoder = self.make_encoder(encoder_key)
            sizes = encoder.size, len(self.first_action), s.head_d_hidden, s.head_n_layers
            return Network(encoder, make_head(*sizes, key=head_key))

        actor = network(actor_key, ActorHead)
        critic = network(
            critic_key, lambda *sizes, key: make_critic_heads(s.num_critics, *sizes, key=key)
        )
        # a strong type: with a weak one the second call would compile everything again
        log_alpha = jnp.log(jnp.asarray(s.init_alpha, jnp.float32))
        return SACLearner(
            actor=actor,
            critic=critic,
            # a copy: donated buffers must not be shared
            target=jax.tree.map(jnp.copy, critic),
            log_alpha=log_alpha,
            actor_state=self.actor_optimiser.init(actor),
            critic_state=self.critic_optimiser.init(critic),
            alpha_state=self.alpha_optimiser.init(log_alpha),
            updates=jnp.zeros((), jnp.int32),
        )

    def networks(self, learner):
        return learner.actor, learner.critic, learner.target, learner.log_alpha

    def with_networks(self, learner, networks):
        loaded = eqx.tree_at(self.networks, learner, networks)
        if self.settings.target_entropy is None:
            # a fixed temperature is a setting, not something learned
            loaded = eqx.tree_at(lambda le: le.log_alpha, loaded, learner.log_alpha)
        return loaded

    def trained(self, learner):
        return {
            "actor": (learner.actor, learner.actor_state),
            "critic": (learner.critic, learner.critic_state),
        }

    def acting(self, learner):
        return learner.actor

    def act(self, learner, observation, start, memory, key, *, deterministic):
        features, memory = jax.vmap(learner.actor.encoder.step)(observation, start, memory)
        policy = TanhGaussian.from_head(jax.vmap(learner.actor.head)(features))
        return (policy.mode() if deterministic else policy.sample(key)[0]), memory

    def update(self, learner, batch, key):
        """Critic, target, actor, temperature, in this order (eq. 40 to 44)."""
        next_key, heads_key, new_key = jax.random.split(key, 3)
        s, alpha = self.settings, jnp.exp(learner.log_alpha)
        actor_state, critic_state = in_step(
            (learner.actor_state, learner.critic_state), learner.updates
        )

        # The actor changes only after the critic, so one pass of it gives the next actions of the
        # target and, differentiated later, the policy gradient.
        policy_output, actor_vjp = eqx.filter_vjp(
            lambda actor: jax.vmap(actor.head)(self._features(actor, batch)), learner.actor
        )
        target = self._target(learner, batch, policy_output, alpha, next_key, heads_key)
        critic_step, grads = self._critic_gradient(learner.critic, batch, target)
        critic, critic_state = self.critic_optimiser.step(learner.critic, grads, critic_state)
        actor_step, output_grads = self._policy_gradient(
            critic, batch, policy_output, alpha, new_key
        )
        (grads,) = actor_vjp(output_grads)
        actor, actor_state = self.actor_optimiser.step(learner.actor, grads, actor_state)
        # α(H − H̄) with the gradient through log α alone, which is the loss itself
        log_alpha, alpha_state, loss_alpha = learner.log_alpha, learner.alpha_state, None
        if s.target_entropy is not None:
            loss_alpha = alpha * self._weighted(batch, actor_step.rows - s.target_entropy).value
            alpha_state = in_step(alpha_state, learner.updates)
            step, alpha_state = self.alpha_optimiser.update(loss_alpha, alpha_state)
            log_alpha = log_alpha + jnp.asarray(step)

        after = SACLearner(
            actor=actor,
            critic=critic,
            target=polyak(learner.target, critic, s.target_tau),
            log_alpha=log_alpha,
            actor_state=actor_state,
            critic_state=critic_state,
            alpha_state=alpha_state,
            updates=learner.updates + 1,
        )
        return after, update_figures(batch.learnable(), critic_step, actor_step, alpha, loss_alpha)

    def _features(self, network: Network, batch: Batch) -> Float[Array, "row feature"]:
        return network.encoder(batch, jnp.asarray(self.first_action))

    def _weighted(self, batch: Batch, error: losses.Row) -> losses.Weighted:
        rows = batch.learnable()
        return losses.split(error, rows.mask, rows.real).weighted(self.settings.real_weight)

    def _target(self, learner: SACLearner, batch: Batch, policy_output, alpha, next_key, heads_key):
        """What Q is to become, of every transition."""
        s, rows = self.settings, batch.learnable()
        next_action, next_log_prob = TanhGaussian.from_head(batch.next(policy_output)).sample(
            next_key
        )
        features = batch.next(self._features(learner.target, batch))
        chosen = sampled_heads(learner.target.head, s.sampled_critics, heads_key)
        return losses.td_target(
            next_reward=rows.next_reward,
            next_terminated=rows.next_terminated,
            next_q=all_q(chosen, features, next_action),
            next_log_prob=next_log_prob.sum(-1),
            alpha=alpha,
            gamma=s.gamma,
            backup_entropy=s.backup_entropy,
        )

    def _critic_gradient(
        self, critic: Network[CriticHead], batch: Batch, target: losses.Row
    ) -> tuple[Step, Network[CriticHead]]:
        def loss(critic):
            features = batch.current(self._features(critic, batch))
            q = all_q(critic.head, features, batch.learnable().action)
            loss = self._weighted(batch, losses.critic_error(q, target))
            # the published figure of Q is the first critic's
            return loss.value, Step(loss, q[0])

        (_, step), grads = eqx.filter_value_and_grad(loss, has_aux=True)(critic)
        return step, grads

    def _policy_gradient(
        self, critic: Network[CriticHead], batch: Batch, policy_output, alpha, key
    ) -> tuple[Step, Float[Array, "row loc_log_std"]]:
        """The gradient with respect to the policy's outputs."""
        features = batch.current(self._features(critic, batch))

        def loss(policy_output):
            policy = TanhGaussian.from_head(batch.current(policy_output))
            action, log_prob = policy.sample(key)
            log_prob = log_prob.sum(-1)
            q = all_q(critic.head, features, action)
            loss = self._weighted(batch, losses.actor_error(q, log_prob, alpha))
            return loss.value, Step(loss, -log_prob)

        (_, step), grads = jax.value_and_grad(loss, has_aux=True)(policy_output)
        return step, grads
