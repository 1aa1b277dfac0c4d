"""Actor, critic and Q heads, for one example; an agent's network is an encoder and heads.

Encoder and heads are separate fields because they have separate optimisers (eq. 46).
"""

from typing import Generic, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from layers import Block, Linear
from online_rl.encoders import AbstractEncoder


def _final_linear(in_size: int, out_size: int, key: PRNGKeyArray) -> Linear:
    """The last layer of a value head: small weights, so that first values are near zero."""
    bound = (0.01 / in_size) ** 0.5
    return Linear(in_size, out_size, weight_bound=bound, zero_bias=True, key=key)


class Trunk(eqx.Module):
    """`depth` Blocks of one width."""

    blocks: tuple[Block, ...]

    def __init__(self, in_size: int, width: int, depth: int, *, key: PRNGKeyArray):
        sizes = [in_size] + [width] * depth
        keys = jax.random.split(key, depth)
        self.blocks = tuple(
            Block(a, b, key=k) for a, b, k in zip(sizes[:-1], sizes[1:], keys, strict=True)
        )

    def __call__(self, x: Float[Array, " in"]) -> Float[Array, " width"]:
        for block in self.blocks:
            x = block(x)
        return x


class ActorHead(eqx.Module):
    """Features → the 2A numbers (μ, log σ) of the policy (eq. 36)."""

    trunk: Trunk
    out: Linear

    def __init__(self, in_size: int, action_size: int, width: int, depth: int, *, key):
        trunk_key, out_key = jax.random.split(key)
        self.trunk = Trunk(in_size, width, depth, key=trunk_key)
        self.out = Linear(width, 2 * action_size, key=out_key)

    def __call__(self, features: Float[Array, " in"]) -> Float[Array, " loc_log_std"]:
        return self.out(self.trunk(features))


class CriticHead(eqx.Module):
    """Features and action → Q (eq. 35)."""

    trunk: Trunk
    out: Linear

    def __init__(self, in_size: int, action_size: int, width: int, depth: int, *, key):
        trunk_key, out_key = jax.random.split(key)
        self.trunk = Trunk(in_size + action_size, width, depth, key=trunk_key)
        self.out = _final_linear(width, 1, out_key)

    def __call__(
        self, features: Float[Array, " in"], action: Float[Array, " action"]
    ) -> Float[Array, ""]:
        # The first product is taken apart so that a gradient with respect to the action alone
        # costs A columns, not in + A.
        first, *rest = self.trunk.blocks
        weight = first.linear.weight
        x = weight[: features.size].T @ features + weight[features.size :].T @ action
        x = first.activation(x + first.linear.bias)
        for block in rest:
            x = block(x)
        return self.out(x)[0]


class DuelingHead(eqx.Module):
    """Features → Q of each arm, V + A − mean A (eq. 37)."""

    trunk: Trunk
    value: Linear
    advantage: Linear

    def __init__(self, in_size: int, arms: int, width: int, depth: int, *, key):
        trunk_key, value_key, advantage_key = jax.random.split(key, 3)
        self.trunk = Trunk(in_size, width, depth, key=trunk_key)
        self.value = _final_linear(width, 1, value_key)
        self.advantage = _final_linear(width, arms, advantage_key)

    def __call__(self, features: Float[Array, " in"]) -> Float[Array, " arm"]:
        x = self.trunk(features)
        advantage = self.advantage(x)
        return self.value(x)[0] + advantage - advantage.mean()


Head = TypeVar("Head", bound=eqx.Module)


class Network(eqx.Module, Generic[Head]):
    """An encoder and what reads its features: one head, or K of them with stacked parameters."""

    encoder: AbstractEncoder
    head: Head


def make_critic_heads(count: int, *sizes, key: PRNGKeyArray) -> CriticHead:
    """`count` heads with stacked parameters; `sizes` as in `CriticHead`."""
    return eqx.filter_vmap(lambda k: CriticHead(*sizes, key=k))(jax.random.split(key, count))


def all_q(
    heads: CriticHead, features: Float[Array, "row in"], action: Float[Array, "row action"]
) -> Float[Array, "critic row"]:
    """Q of every stacked head at every row."""
    rows = jax.vmap(CriticHead.__call__, in_axes=(None, 0, 0))
    return eqx.filter_vmap(rows, in_axes=(eqx.if_array(0), None, None))(heads, features, action)


def sampled_heads(heads: CriticHead, count: int, key: PRNGKeyArray) -> CriticHead:
    """`count` different heads drawn at random (REDQ; eq. 40)."""
    total = heads.out.bias.shape[0]
    chosen = jax.random.choice(key, total, (count,), replace=False)
    return jax.tree.map(lambda leaf: jnp.take(leaf, chosen, axis=0), heads)
