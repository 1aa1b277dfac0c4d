"""Normalisation of the world model's inputs and targets (eq. 5)."""

from enum import StrEnum

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

SMALLEST_STD = 1e-12


class Statistics(StrEnum):
    """How a column's mean and std come about. A world model is of use only with those that it was
    trained with."""

    #: NumPy's float32 reductions along the rows, rounding and all: a constant column gets a std of
    #: about its mean's error, and its normalised value is about ∓1. Published ensembles know it so.
    PUBLISHED = "published"
    #: In float64: a constant column has a std of 0, which becomes 1, and a normalised value of 0.
    EXACT = "exact"


def _float32_moments(column: Float[np.ndarray, "row size"]) -> tuple[np.ndarray, np.ndarray]:
    column = column.astype(np.float32, copy=False)
    return column.mean(0), column.std(0)


def _exact_moments(column: Float[np.ndarray, "row size"]) -> tuple[np.ndarray, np.ndarray]:
    # measured from the first row, so that nothing at all is left of a constant
    first = column[0].astype(np.float64)
    moved = column - first
    return first + moved.mean(0), moved.std(0)


_MOMENTS = {Statistics.PUBLISHED: _float32_moments, Statistics.EXACT: _exact_moments}


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
        statistics: Statistics,
    ) -> "Scaler":
        """Mean and population std per dimension; a std below 1e-12 becomes 1."""
        # the order of the published sums is that of C's layout
        columns = [np.ascontiguousarray(x) for x in (states, actions, rewards[:, None])]
        means, stds = zip(*map(_MOMENTS[statistics], columns), strict=True)
        stds = [np.where(s < SMALLEST_STD, 1.0, s) for s in stds]

        def joined(statistics, *which):
            return jnp.asarray(np.concatenate([statistics[i] for i in which]), jnp.float32)

        return cls(
            input_mean=joined(means, 0, 1),
            input_std=joined(stds, 0, 1),
            target_mean=joined(means, 0, 2),
            target_std=joined(stds, 0, 2),
        )

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
