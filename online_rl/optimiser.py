"""The optimisers (eq. 46, 47)."""

from typing import TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int

from online_rl.networks import Head, Network

Tree = TypeVar("Tree")


def learning_rate(lr: float, lr_ratio: float, grad_steps: int) -> optax.Schedule:
    """A cosine from lr to lr·lr_ratio over `grad_steps` updates (eq. 47)."""
    return optax.cosine_decay_schedule(lr, grad_steps, alpha=lr_ratio)


def agent_optimiser(
    lr: float,
    *,
    lr_ratio: float,
    grad_steps: int,
    gradient_scale: float,
    weight_decay: float,
    adam_eps: float,
) -> optax.GradientTransformation:
    """Zero NaN gradients → clip the global norm → AdamW, cosine from lr to lr·lr_ratio."""
    schedule = learning_rate(lr, lr_ratio, grad_steps)
    adam = optax.scale_by_adam(eps=adam_eps)

    def direction(updates, state, params=None):
        grads = jnp.where(jnp.isnan(updates), 0.0, updates)
        norm = jnp.sqrt(jnp.square(grads).sum())
        grads = jnp.where(norm < gradient_scale, grads, grads / norm * gradient_scale)
        return adam.update(grads, state)

    # One vector instead of dozens of arrays: a third less for the compiler to do.
    flat = optax.flatten(optax.GradientTransformation(adam.init, direction))

    def update(updates, state, params=None):
        directions, after = flat.update(updates, state, params)
        # Adam's count is the schedule's: a counter of its own would be launches of its own
        rate = jnp.asarray(schedule(state.count))
        steps = jax.tree.map(lambda d, p: -rate * (d + weight_decay * p), directions, params)
        return steps, after

    return optax.GradientTransformation(flat.init, update)


class SplitState(eqx.Module):
    """What the two optimisers of a network remember."""

    encoder: optax.OptState
    head: optax.OptState


class SplitOptimiser(eqx.Module):
    """Separate optimisers, each with its own learning rate and clipping, for encoder and head."""

    encoder: optax.GradientTransformation = eqx.field(static=True)
    head: optax.GradientTransformation = eqx.field(static=True)

    def init(self, network: Network) -> SplitState:
        """The states of both before the first step."""
        return SplitState(_begin(self.encoder, network.encoder), _begin(self.head, network.head))

    def step(
        self, network: Network[Head], grads: Network[Head], state: SplitState
    ) -> tuple[Network[Head], SplitState]:
        """One step of both; the new network and state."""
        encoder, encoder_state = _apply(self.encoder, network.encoder, grads.encoder, state.encoder)
        head, head_state = _apply(self.head, network.head, grads.head, state.head)
        return Network(encoder, head), SplitState(encoder_state, head_state)


def _begin(optimiser, parameters):
    arrays = eqx.filter(parameters, eqx.is_array)
    # the Markov agent's encoder has no parameters, and a flattened chain needs some
    return optimiser.init(arrays) if jax.tree.leaves(arrays) else optax.EmptyState()


def _apply(optimiser, parameters, grads, state):
    if not jax.tree.leaves(eqx.filter(parameters, eqx.is_array)):
        return parameters, state
    updates, state = optimiser.update(grads, state, eqx.filter(parameters, eqx.is_array))
    return eqx.apply_updates(parameters, updates), state


def in_step(states: Tree, updates: Int[Array, ""]) -> Tree:
    """These states, each of whose counts is `updates`, as it is where every chain steps in every
    update. What follows from a count is then computed once, and not for each chain."""

    def is_adam(state):
        return isinstance(state, optax.ScaleByAdamState)

    return jax.tree.map(
        lambda state: state._replace(count=updates) if is_adam(state) else state,
        states,
        is_leaf=is_adam,
    )


def polyak(target: Tree, source: Tree, tau: float) -> Tree:
    """(1 − τ)·target + τ·source (eq. 44)."""
    return jax.tree.map(lambda t, s: (1.0 - tau) * t + tau * s, target, source)
