"""The losses of eq. 39 to 42 and 45, over arrays: what produced the values does not matter here.

`mask` says which rows are transitions, `real` which of those come from the dataset. A loss is
real_weight · (mean over real rows) + (1 − real_weight) · (mean over imagined rows) (eq. 39).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int

Row = Float[Array, " row"]


class Split(NamedTuple):
    """A quantity's means over real and over imagined rows; an empty group's mean is 0."""

    real: Float[Array, ""]
    imagined: Float[Array, ""]

    def weighted(self, real_weight: float) -> "Weighted":
        return Weighted(real_weight * self.real + (1.0 - real_weight) * self.imagined, self)


class Weighted(NamedTuple):
    """A loss, and the two means that it is made of."""

    value: Float[Array, ""]
    parts: Split


def masked_mean(values: Row, mask: Bool[Array, " row"]) -> Float[Array, ""]:
    """Mean of the rows in `mask`, 0 if there is none; what lies outside may even be NaN."""
    count = jnp.maximum(mask.sum(), 1).astype(values.dtype)
    return jnp.where(mask, values, 0.0).sum() / count


def split(values: Row, mask: Bool[Array, " row"], real: Bool[Array, " row"]) -> Split:
    return Split(masked_mean(values, mask & real), masked_mean(values, mask & ~real))


def td_target(
    next_reward: Row,
    next_terminated: Bool[Array, " row"],
    next_q: Float[Array, "sampled row"],
    next_log_prob: Row,
    alpha: Float[Array, ""],
    gamma: float,
    *,
    backup_entropy: bool,
) -> Row:
    """r + γ(1 − terminated)(min over the sampled target critics [− α log π]) (eq. 40)."""
    value = next_q.min(0)
    if backup_entropy:
        value = value - alpha * next_log_prob
    return next_reward + gamma * jnp.where(next_terminated, 0.0, value)


def critic_error(q: Float[Array, "critic row"], target: Row) -> Row:
    """Huber loss (δ = 1) of each row, averaged over the critics (eq. 41)."""
    return jax.vmap(optax.huber_loss, (0, None))(q, target).mean(0)


def actor_error(q: Float[Array, "critic row"], log_prob: Row, alpha: Float[Array, ""]) -> Row:
    """α log π − mean over the critics of Q (eq. 42)."""
    return alpha * log_prob - q.mean(0)


class DoubleQ(NamedTuple):
    """Double DQN at every row: Q of the chosen arm, its target, and Q̄ of the next best arm."""

    q: Row
    target: Row
    next_value: Row

    @property
    def error(self) -> Row:
        """Huber loss (δ = 1)."""
        return optax.huber_loss(self.q, self.target)


def double_q(
    q: Float[Array, "row arm"],
    arm: Int[Array, " row"],
    next_reward: Row,
    next_terminated: Bool[Array, " row"],
    next_q: Float[Array, "row arm"],
    next_target_q: Float[Array, "row arm"],
    gamma: float,
) -> DoubleQ:
    """Q(h, a) and its target r + γ(1 − terminated) Q̄(h', argmax Q(h', ·)), which is a constant
    (eq. 45)."""
    next_value = _select(next_target_q, next_q.argmax(-1))
    target = next_reward + gamma * jnp.where(next_terminated, 0.0, next_value)
    return DoubleQ(_select(q, arm), target, next_value)


def _select(q: Float[Array, "row arm"], arm: Int[Array, " row"]) -> Row:
    return jnp.take_along_axis(q, arm[:, None], axis=1)[:, 0]
