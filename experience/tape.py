"""The tape: episodes laid end to end in rows, without padding (eq. 24)."""

from dataclasses import KW_ONLY

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Shaped

from experience.observation import observation


class Learnable(eqx.Module):
    """The transitions of a batch, beside their states; `mask` is false where there is none.

    `next_reward` is the one to learn from, its penalty taken off.
    """

    _: KW_ONLY
    action: Float[Array, "transition action"]
    next_reward: Float[Array, " transition"]
    next_terminated: Bool[Array, " transition"]
    real: Bool[Array, " transition"]
    mask: Bool[Array, " transition"]


class Tape(eqx.Module):
    """Rows of consecutive episodes; `start` marks where one ends and the next begins.

    Row i of an episode holds the state s_i, the action a_i taken there, the reward r_{i+1} that it
    earned, what is taken off that reward when it is learned from (0 in real rows), and whether
    s_{i+1} was terminal or cut off. An episode of L transitions has L+1 rows:
    the last one holds the final state, its other fields repeat row L-1 and are never learned from.
    States are stored once: the previous action and reward of an augmented observation are the
    neighbour row's (`observation`).
    """

    _: KW_ONLY
    state: Float[Array, "row state"]
    action: Float[Array, "row action"]
    next_reward: Float[Array, " row"]
    next_penalty: Float[Array, " row"]
    start: Bool[Array, " row"]
    next_terminated: Bool[Array, " row"]
    next_truncated: Bool[Array, " row"]
    real: Bool[Array, " row"]

    def observation(self, first_action: Float[Array, " action"]) -> Float[Array, "row obs"]:
        """The agent's input [s_i, a_{i-1}, r_i] of each row.

        `first_action` stands for the missing a_{-1} where `start` is set; the reward there is 0.
        """
        previous = jnp.roll(self.action, 1, axis=0), jnp.roll(self.next_reward, 1)
        return observation(self.state, *previous, start=self.start, first_action=first_action)

    @property
    def learned_reward(self) -> Float[Array, " row"]:
        """The rewards that values are made of; those that the agent observes are unpenalised."""
        return self.next_reward - self.next_penalty

    def current(self, rows: Shaped[Array, "all *value"]) -> Shaped[Array, "_ *value"]:
        """Of one value per row, those at the rows that a transition may leave from."""
        return rows[:-1]

    def next(self, rows: Shaped[Array, "all *value"]) -> Shaped[Array, "_ *value"]:
        """Of one value per row, those at the rows that a transition may lead to."""
        return rows[1:]

    def learnable(self) -> "Learnable":
        """Row i and row i+1 are a transition unless an episode starts at i+1."""
        return Learnable(
            action=self.action[:-1],
            next_reward=self.learned_reward[:-1],
            next_terminated=self.next_terminated[:-1],
            real=self.real[:-1],
            mask=~self.start[1:],
        )

    def rows(self, index) -> "Tape":
        """The rows at `index` (any integer index or slice), as a tape."""
        return jax.tree.map(lambda leaf: leaf[index], self)


class Transitions(eqx.Module):
    """Independent transitions, for agents without memory.

    `state` holds the n states that were left and then the n states that were reached, so that a
    network sees them in one pass.
    """

    state: Float[Array, "ends state"]
    rows: Learnable

    def current(self, rows: Shaped[Array, "all *value"]) -> Shaped[Array, "_ *value"]:
        """Of one value per state, those at the states that were left."""
        return rows[: rows.shape[0] // 2]

    def next(self, rows: Shaped[Array, "all *value"]) -> Shaped[Array, "_ *value"]:
        """Of one value per state, those at the states that were reached."""
        return rows[rows.shape[0] // 2 :]

    def learnable(self) -> Learnable:
        return self.rows
