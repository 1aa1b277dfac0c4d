"""How members are judged on the holdout rows: when one has improved (eq. 11), and the best."""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from offline_world.modules import Ensemble, nll, squared_error

Predictions = Float[Array, "member batch out"]
Rows = Float[Array, "member batch"]
Scores = Float[Array, " member"]


class Criterion(NamedTuple):
    """What decides whether a member has improved, from the holdout rows."""

    #: (mean, log_std, target) → (member, batch)
    score: Callable[[Predictions, Predictions, Float[Array, "batch out"]], Rows]
    #: (best, score) → whether `score` is better
    improved: Callable[[Scores, Scores], Bool[Array, " member"]]


def relative_mse(threshold: float) -> Criterion:
    """The continuous ensembles' rule: holdout MSE lower by more than a fraction `threshold`."""
    return Criterion(
        lambda mean, log_std, target: squared_error(mean, target),
        # an infinite best leaves NaN in the relative improvement, so compare products
        lambda best, score: score < best * (1.0 - threshold),
    )


def absolute_nll(threshold: float) -> Criterion:
    """The bandit's rule: holdout NLL lower by more than `threshold`."""
    return Criterion(nll, lambda best, score: score < best - threshold)


def holdout_scores(
    ensemble: Ensemble, holdout: Float[Array, "holdout in_out"], criterion: Criterion
) -> Float[Array, " member"]:
    """Each member's mean holdout score, for the selection of the best (eq. 12)."""
    x, y = jnp.split(holdout, [ensemble.in_size], axis=-1)
    return criterion.score(*ensemble.log_gaussian(x), y).mean(-1)
