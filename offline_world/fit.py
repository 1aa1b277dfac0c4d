"""Training of the ensemble on a fixed dataset (spec 2.3)."""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray

from harness.errors import UserError
from offline_world.modules import Ensemble, nll, squared_error
from offline_world.shuffle import permuted

#: The published split is scikit-learn's `train_test_split(random_state=42)`.
HOLDOUT_FRACTION, HOLDOUT_SEED = 0.2, 42
#: Held-out rows of a continuous dataset at most.
MOST_HELD_OUT = 1000


class Criterion(NamedTuple):
    """What decides whether a member has improved, from the holdout rows."""

    #: (mean, log_std, target) → (member, batch)
    score: Callable
    #: (best, score) → whether `score` is better
    improved: Callable


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


class Data(NamedTuple):
    """Normalised rows: inputs next to targets, so that one gather fetches both."""

    train: Float[Array, "row in_out"]
    holdout: Float[Array, "holdout in_out"]


def continuous_holdout(count: int) -> int:
    """How many of a continuous dataset's `count` transitions are held out."""
    return min(int(count * HOLDOUT_FRACTION), MOST_HELD_OUT)


def bandit_holdout(count: int) -> int:
    """How many of the bandit's `count` pulls are held out."""
    return math.ceil(count * HOLDOUT_FRACTION)


def split_rows(count: int, held: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of training and holdout rows, in the order of the published split.

    The choice depends on the number of rows only, never on a run's seed. Raises UserError when
    there are too few to hold any out.
    """
    if held == 0:
        raise UserError(
            f"the dataset has {count} transitions to train a world model on, too few to hold any"
            " out: collect more"
        )
    order = np.random.RandomState(HOLDOUT_SEED).permutation(count)
    return order[held:], order[:held]


class FitState(eqx.Module):
    # learned
    ensemble: Ensemble
    optimiser_state: optax.OptState
    # kept
    best: Ensemble
    best_score: Float[Array, " member"]
    # progress
    epoch: Int[Array, ""]
    patience: Int[Array, ""]


class EpochReport(NamedTuple):
    epoch: int
    train_nll: float
    holdout_score: float
    improved: int
    patience: int


class Fit:
    """One ensemble training: `epochs()` yields a report per epoch, `state.best` is the result.

    An epoch is one compiled call: every member visits all rows in its own order, the last batch
    may be short, then the holdout rows decide which members' weights are kept.
    """

    def __init__(
        self,
        ensemble: Ensemble,
        data: Data,
        criterion: Criterion,
        *,
        lr: float,
        weight_decay: float,
        batch_size: int,
        patience: int,
        epochs: int | None,
        key: PRNGKeyArray,
    ):
        self.data, self.key = data, key
        self.patience, self.epoch_limit = patience, epochs
        optimiser = optax.adamw(lr, weight_decay=weight_decay)
        parameters = eqx.filter(ensemble, eqx.is_array)
        self.state = FitState(
            ensemble,
            optimiser.init(parameters),
            jax.tree.map(jnp.copy, ensemble),
            # a strong type: with a weak one the second epoch would compile everything again
            jnp.full(ensemble.size, jnp.inf, jnp.float32),
            jnp.asarray(0),
            jnp.asarray(0),
        )
        step = make_step(optimiser)
        count, in_size = data.train.shape[0], ensemble.in_size
        steps = math.ceil(count / batch_size)

        @eqx.filter_jit(donate="all-except-first")
        def epoch(frozen, state):
            data, key = frozen
            order_keys = jax.random.split(jax.random.fold_in(key, state.epoch), ensemble.size)

            def batch(i):
                place = (i * batch_size + jnp.arange(batch_size)).astype(jnp.uint32)
                weight = (place < count).astype(jnp.float32)
                place = jnp.minimum(place, jnp.uint32(count - 1))
                rows = jax.vmap(permuted, (None, None, 0))(place, count, order_keys)
                x, y = jnp.split(data.train[rows], [in_size], axis=-1)
                return x, y, weight

            def body(i, carry):
                ensemble, optimiser_state, total = carry
                ensemble, optimiser_state, loss = step(ensemble, optimiser_state, *batch(i))
                return ensemble, optimiser_state, total + loss

            ensemble_, optimiser_state, total = jax.lax.fori_loop(
                0, steps, body, (state.ensemble, state.optimiser_state, jnp.zeros(()))
            )
            x, y = jnp.split(data.holdout, [in_size], axis=-1)
            score = criterion.score(*ensemble_.log_gaussian(x), y).mean(-1)
            improved = criterion.improved(state.best_score, score)
            best = jax.tree.map(
                lambda new, old: jax.vmap(jnp.where)(improved, new, old), ensemble_, state.best
            )
            state = FitState(
                ensemble_,
                optimiser_state,
                best,
                jnp.where(improved, score, state.best_score),
                state.epoch + 1,
                jnp.where(improved.any(), 0, state.patience + 1),
            )
            return state, (total / steps, score.mean(), improved.sum())

        self._epoch = epoch

    def epochs(self) -> Iterator[EpochReport]:
        """Run until `patience` epochs in a row improve no member, or `epochs` are done."""
        limit = math.inf if self.epoch_limit is None else self.epoch_limit
        while int(self.state.epoch) < limit and int(self.state.patience) < self.patience:
            self.state, (loss, score, improved) = self._epoch((self.data, self.key), self.state)
            yield EpochReport(
                int(self.state.epoch),
                float(loss),
                float(score),
                int(improved),
                int(self.state.patience),
            )


def make_step(optimiser: optax.GradientTransformation) -> Callable:
    """One AdamW step: (ensemble, optimiser state, x, y, weight) → both again, and the loss.

    x (member, batch, in), y (member, batch, out); `weight` (batch,) is 0 on rows past a short
    batch's end. The loss is the NLL averaged over members, rows and outputs.
    """

    def loss_fn(ensemble, x, y, weight):
        per_row = nll(*ensemble.log_gaussian(x), y).mean(0)
        return (per_row * weight).sum() / weight.sum()

    def step(ensemble, optimiser_state, x, y, weight):
        loss, grads = eqx.filter_value_and_grad(loss_fn)(ensemble, x, y, weight)
        updates, optimiser_state = optimiser.update(grads, optimiser_state, ensemble)
        return eqx.apply_updates(ensemble, updates), optimiser_state, loss

    return step


def holdout_scores(
    ensemble: Ensemble, holdout: Float[Array, "holdout in_out"], criterion: Criterion
) -> Float[Array, " member"]:
    """Each member's mean holdout score, for the selection of the best (spec 2.5)."""
    x, y = jnp.split(holdout, [ensemble.in_size], axis=-1)
    return criterion.score(*ensemble.log_gaussian(x), y).mean(-1)
