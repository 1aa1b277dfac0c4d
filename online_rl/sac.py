"""REDQ-style soft actor-critic on tapes or transitions (eq. 39 to 44).

The recurrent and the Markov agent differ in their encoder and in what they are fed, not here.
"""

from collections.abc import Callable
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray

from online_rl import losses
from online_rl.agent import AbstractAgent, AbstractLearner
from online_rl.distribution import TanhGaussian
from online_rl.encoders import AbstractEncoder
from online_rl.networks import ActorHead, Network, all_q, make_critic_heads, sampled_heads
from online_rl.optimiser import SplitOptimiser, SplitState, polyak


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
    actor: Network
    critic: Network
    target: Network
    log_alpha: Float[Array, ""]
    # optimisers
    actor_state: SplitState
    critic_state: SplitState
    alpha_state: optax.OptState
    # progress
    updates: Int[Array, ""]


class SACAgent(AbstractAgent):
    """`make_encoder(key)` builds the encoder that actor and critic each own one of."""

    settings: SACSettings = eqx.field(static=True)
    make_encoder: Callable[[PRNGKeyArray], AbstractEncoder] = eqx.field(static=True)
    actor_optimiser: SplitOptimiser = eqx.field(static=True)
    critic_optimiser: SplitOptimiser = eqx.field(static=True)
    alpha_optimiser: optax.GradientTransformation = eqx.field(static=True)
    first_action: tuple[float, ...] = eqx.field(static=True)

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
            actor,
            critic,
            # a copy: donated buffers must not be shared
            jax.tree.map(jnp.copy, critic),
            log_alpha,
            self.actor_optimiser.init(actor),
            self.critic_optimiser.init(critic),
            self.alpha_optimiser.init(log_alpha),
            jnp.zeros((), jnp.int32),
        )

    def networks(self, learner):
        return learner.actor, learner.critic, learner.target, learner.log_alpha

    def with_networks(self, learner, networks):
        loaded = eqx.tree_at(self.networks, learner, networks)
        if self.settings.target_entropy is None:
            # a fixed temperature is a setting, not something learned
            loaded = eqx.tree_at(lambda le: le.log_alpha, loaded, learner.log_alpha)
        return loaded

    def acting(self, learner):
        return learner.actor

    def act(self, learner, observation, start, memory, key, *, deterministic):
        features, memory = jax.vmap(learner.actor.encoder.step)(observation, start, memory)
        policy = TanhGaussian.from_head(jax.vmap(learner.actor.head)(features))
        return (policy.mode() if deterministic else policy.sample(key)[0]), memory

    def update(self, learner, batch, key):
        """Critic, target, actor, temperature, in this order (eq. 40 to 44)."""
        next_key, heads_key, new_key = jax.random.split(key, 3)
        s, rows = self.settings, batch.learnable()
        first_action = jnp.asarray(self.first_action)
        alpha = jnp.exp(learner.log_alpha)

        def weighted(error):
            parts = losses.split(error, rows.mask, rows.real)
            return parts.weighted(s.real_weight), parts

        def policy_rows(actor):
            return jax.vmap(actor.head)(actor.encoder(batch, first_action))

        # The actor changes only after the critic, so one pass of it gives the next actions of the
        # target and, differentiated later, the policy gradient.
        policy_output, actor_vjp = eqx.filter_vjp(policy_rows, learner.actor)

        next_policy = TanhGaussian.from_head(batch.next(policy_output))
        next_action, next_log_prob = next_policy.sample(next_key)
        target_features = batch.next(learner.target.encoder(batch, first_action))
        chosen = sampled_heads(learner.target.head, s.sampled_critics, heads_key)
        target = losses.td_target(
            rows.next_reward,
            rows.next_terminated,
            all_q(chosen, target_features, next_action),
            next_log_prob.sum(-1),
            alpha,
            s.gamma,
            backup_entropy=s.backup_entropy,
        )

        def critic_loss(critic):
            features = batch.current(critic.encoder(batch, first_action))
            q = all_q(critic.head, features, rows.action)
            loss, parts = weighted(losses.critic_error(q, target))
            # the published figure of Q is the first critic's
            return loss, (parts, q[0])

        (critic_value, (critic_parts, q)), critic_grads = eqx.filter_value_and_grad(
            critic_loss, has_aux=True
        )(learner.critic)
        critic, critic_state = self.critic_optimiser.step(
            learner.critic, critic_grads, learner.critic_state
        )

        features = batch.current(critic.encoder(batch, first_action))

        def actor_loss(policy_output):
            policy = TanhGaussian.from_head(batch.current(policy_output))
            action, log_prob = policy.sample(new_key)
            log_prob = log_prob.sum(-1)
            q = all_q(critic.head, features, action)
            loss, parts = weighted(losses.actor_error(q, log_prob, alpha))
            return loss, (parts, -log_prob)

        (actor_value, (actor_parts, entropy)), output_grads = jax.value_and_grad(
            actor_loss, has_aux=True
        )(policy_output)
        (actor_grads,) = actor_vjp(output_grads)
        actor, actor_state = self.actor_optimiser.step(
            learner.actor, actor_grads, learner.actor_state
        )

        q_parts = losses.split(q, rows.mask, rows.real)
        entropy_parts = losses.split(entropy, rows.mask, rows.real)
        figures = {
            "loss_q": critic_value,
            "loss_q_real": critic_parts.real,
            "loss_q_imag": critic_parts.imagined,
            "q_mean": losses.masked_mean(q, rows.mask),
            "real_q_mean": q_parts.real,
            "imag_q_mean": q_parts.imagined,
            "loss_pi": actor_value,
            "loss_pi_real": actor_parts.real,
            "loss_pi_imag": actor_parts.imagined,
            "alpha": alpha,
            "real_pi_entropy": entropy_parts.real,
            "imag_pi_entropy": entropy_parts.imagined,
        }
        log_alpha, alpha_state = learner.log_alpha, learner.alpha_state
        if s.target_entropy is not None:
            # α(H − H̄) with the gradient through log α alone, which is the loss itself
            loss_alpha = alpha * weighted(entropy - s.target_entropy)[0]
            step, alpha_state = self.alpha_optimiser.update(loss_alpha, alpha_state)
            log_alpha = log_alpha + step
            figures["loss_alpha"] = loss_alpha

        learner = SACLearner(
            actor,
            critic,
            polyak(learner.target, critic, s.target_tau),
            log_alpha,
            actor_state,
            critic_state,
            alpha_state,
            learner.updates + 1,
        )
        return learner, figures
