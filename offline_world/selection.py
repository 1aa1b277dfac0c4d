"""From a trained ensemble to a world: the best members and the rollout threshold (eq. 12, 16)."""

from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from catalogue.uncertainty import UNCERTAINTIES, Measure
from harness.errors import UserError
from harness.log.compiling import announced
from offline_world.criterion import Criterion, holdout_scores
from offline_world.modules import Ensemble

ROWS_AT_ONCE = 1000


def require_members(ensemble: Ensemble, size: int, path: Path) -> None:
    """UserError unless the ensemble loaded from `path` has the `size` members asked for."""
    if ensemble.size < size:
        raise UserError(
            f"collect.ensemble_size={size} is more than the {ensemble.size} members of {path}: give"
            " a smaller number or train a larger one"
        )


def best_members(
    ensemble: Ensemble, holdout: Float[Array, "holdout in_out"], size: int, criterion: Criterion
) -> Ensemble:
    """The `size` members with the lowest holdout score, best first."""
    scores = eqx.filter_jit(holdout_scores)(ensemble, holdout, criterion)
    return ensemble.subset(jnp.argsort(scores)[:size])


def row_uncertainties(
    ensemble: Ensemble, inputs: Float[Array, "row in"], unc_type: str
) -> Float[np.ndarray, " row"]:
    """The uncertainty of every row under all members, a thousand rows at a time on the device."""
    count = inputs.shape[0]
    batches = jnp.pad(inputs, ((0, -count % ROWS_AT_ONCE), (0, 0)))
    batches = batches.reshape(-1, ROWS_AT_ONCE, inputs.shape[1])
    measure = announced("the uncertainty of the dataset's rows", eqx.filter_jit(uncertainties_of))
    measured = measure(ensemble, batches, UNCERTAINTIES[unc_type])
    return np.asarray(measured).reshape(-1)[:count]


def uncertainties_of(
    ensemble: Ensemble, batches: Float[Array, "count batch in"], measure: Measure
) -> Float[Array, "count batch"]:
    """The uncertainty of batches of inputs, one batch after another. Pure: compile it."""
    return jax.lax.map(lambda x: measure(*ensemble(x)), batches)


def rollout_threshold(uncertainties: Float[np.ndarray, " row"], quantile: float) -> float:
    """The `quantile` (0..1, linear interpolation) of the rows' uncertainty; ∞ if negative."""
    return float(np.quantile(uncertainties, quantile)) if quantile >= 0 else float("inf")
