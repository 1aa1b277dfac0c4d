"""Normalisation of the world model's inputs and targets (spec 1.4)."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

SMALLEST_STD = 1e-12


class Scaler(eqx.Module):
    """Statistics of inputs [s, a] and targets [s', r]; s' uses the statistics of s.

    Any leading axes are allowed in all methods.
    """

    input_mean: Float[Array, " in"]
    input_std: Float[Array, " in"]
    target_mean: Float[Array, " out"]
    target_std: Float[Array, " out"]

    @classmethod
    def fit(
        cls,
        states: Float[np.ndarray, "row state"],
        actions: Float[np.ndarray, "row action"],
        rewards: Float[np.ndarray, " row"],
    ) -> "Scaler":
        """Mean and population std per dimension; a std below 1e-12 becomes 1."""
        columns = states, actions, rewards[:, None]
        means = [x.mean(0, dtype=np.float64) for x in columns]
        stds = [x.std(0, dtype=np.float64) for x in columns]
        stds = [np.where(s < SMALLEST_STD, 1.0, s) for s in stds]

        def joined(statistics, *which):
            return jnp.asarray(np.concatenate([statistics[i] for i in which]), jnp.float32)

        return cls(joined(means, 0, 1), joined(stds, 0, 1), joined(means, 0, 2), joined(stds, 0, 2))

    def inputs(
        self, state: Float[Array, "... state"], action: Float[Array, "... action"]
    ) -> Float[Array, "... in"]:
        return self._scale(jnp.concatenate([state, action], -1), self.input_mean, self.input_std)

    def targets(
        self, next_state: Float[Array, "... state"], reward: Float[Array, "..."]
    ) -> Float[Array, "... out"]:
        joined = jnp.concatenate([next_state, reward[..., None]], -1)
        return self._scale(joined, self.target_mean, self.target_std)

    def unscale(
        self, target: Float[Array, "... out"]
    ) -> tuple[Float[Array, "... state"], Float[Array, "..."]]:
        """Next state and reward in their own units."""
        raw = target * self._rank(self.target_std, target) + self._rank(self.target_mean, target)
        return raw[..., :-1], raw[..., -1]

    @classmethod
    def _scale(cls, x, mean, std):
        return (x - cls._rank(mean, x)) / cls._rank(std, x)

    @staticmethod
    def _rank(statistic, x):
        return statistic.reshape((1,) * (x.ndim - 1) + (-1,))
