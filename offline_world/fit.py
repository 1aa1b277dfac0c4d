"""Training of the ensemble on a fixed dataset (eq. 9, 11)."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray

from harness.log.compiling import announced
from layers.backend import on_cpu
from offline_world.criterion import Criterion, holdout_scores
from offline_world.devices import by_members, everywhere
from offline_world.modules import Ensemble, nll
from offline_world.shuffle import permuted
from offline_world.split import Data

Step = Callable[
    [
        Ensemble,
        optax.OptState,
        Float[Array, "member batch in"],
        Float[Array, "member batch out"],
        Int[Array, ""],
    ],
    tuple[Ensemble, optax.OptState, Float[Array, ""]],
]

#: Steps whose rows are found together: finding them takes a loop of its own.
STEPS_AT_ONCE = 64


@dataclass(frozen=True)
class FitSettings:
    """How an ensemble is trained, and when it has been trained enough."""

    criterion: Criterion
    lr: float
    weight_decay: float
    batch_size: int
    #: epochs in a row without an improved member after which the training ends
    patience: int
    #: epochs at most, None without a limit
    epochs: int | None
    #: how many devices of this process share the members
    devices: int = 1

    def optimiser(self) -> optax.GradientTransformation:
        """AdamW; off a CPU the many small arrays are one, a launch and not a dozen.

        A training that was interrupted goes on only where the form is the same.
        """
        if on_cpu():
            return optax.adamw(self.lr, weight_decay=self.weight_decay)
        return optax.chain(
            _side_by_side(optax.scale_by_adam()),
            optax.add_decayed_weights(self.weight_decay),
            optax.scale_by_learning_rate(self.lr),
        )


def _side_by_side(inner: optax.GradientTransformation) -> optax.GradientTransformation:
    """`inner` on every matrix (member, in, out), and on all arrays (member, out) as one, whose
    members can be spread over devices."""

    def joined(tree):
        leaves = jax.tree.leaves(tree)
        small = jnp.concatenate([leaf for leaf in leaves if leaf.ndim < 3], axis=1)
        return [leaf for leaf in leaves if leaf.ndim > 2], small

    def update(updates, state, params=None):
        leaves, structure = jax.tree.flatten(updates)
        directions, state = inner.update(joined(updates), state)
        *large, small = map(jnp.asarray, jax.tree.leaves(directions))
        ends = np.cumsum([leaf.shape[1] for leaf in leaves if leaf.ndim < 3])[:-1]
        matrices, others = iter(large), iter(jnp.split(small, ends, axis=1))
        changed = [next(matrices if leaf.ndim > 2 else others) for leaf in leaves]
        return jax.tree.unflatten(structure, changed), state

    return optax.GradientTransformation(lambda params: inner.init(joined(params)), update)


class FitState(eqx.Module):
    """All that the training depends on; it goes on from one as if it had never stopped.

    The members are the first axis of every array.
    """

    # learned
    ensemble: Ensemble
    optimiser_state: optax.OptState
    # kept
    best: Ensemble
    best_score: Float[Array, " member"]
    # progress
    epoch: Int[Array, ""]
    patience: Int[Array, ""]

    @classmethod
    def begin(cls, settings: FitSettings, ensemble: Ensemble) -> "FitState":
        state = cls(
            ensemble=ensemble,
            optimiser_state=settings.optimiser().init(eqx.filter(ensemble, eqx.is_array)),
            best=jax.tree.map(jnp.copy, ensemble),
            # a strong type: with a weak one the second epoch would compile everything again
            best_score=jnp.full(ensemble.size, jnp.inf, jnp.float32),
            epoch=jnp.asarray(0),
            patience=jnp.asarray(0),
        )
        return by_members(state, settings.devices)

    def is_over(self, settings: FitSettings) -> bool:
        limit = math.inf if settings.epochs is None else settings.epochs
        return int(self.epoch) >= limit or int(self.patience) >= settings.patience


class EpochFigures(NamedTuple):
    """Of one epoch: the mean loss of its steps, the members' mean score, how many improved."""

    train_nll: Float[Array, ""]
    holdout_score: Float[Array, ""]
    improved: Int[Array, ""]


class EpochReport(NamedTuple):
    epoch: int
    train_nll: float
    holdout_score: float
    improved: int
    patience: int


#: (key of the whole training, state, which is given for good) → (state, report)
Epoch = Callable[[PRNGKeyArray, FitState], tuple[FitState, EpochReport]]


def compiled_epoch(settings: FitSettings, data: Data) -> Epoch:
    """An epoch as one compiled call."""

    @eqx.filter_jit(donate="all-except-first")
    def epoch(frozen, state):
        data, key = frozen
        state, figures = fit_epoch(settings, state, data, key)
        return by_members(state, settings.devices), figures

    data = everywhere(data, settings.devices)
    epoch = announced("an epoch of the world model's training", epoch)

    def run(key: PRNGKeyArray, state: FitState) -> tuple[FitState, EpochReport]:
        state, figures = epoch((data, everywhere(key, settings.devices)), state)
        return state, EpochReport(
            epoch=int(state.epoch),
            train_nll=float(figures.train_nll),
            holdout_score=float(figures.holdout_score),
            improved=int(figures.improved),
            patience=int(state.patience),
        )

    return run


def fit_epoch(
    settings: FitSettings, state: FitState, data: Data, key: PRNGKeyArray
) -> tuple[FitState, EpochFigures]:
    """One epoch; `key` is that of the whole training. Pure: compile it.

    Every member visits all rows in its own order, the last batch may be short, then the holdout
    rows decide which members' weights are kept.
    """
    ensemble, batch_size, count = state.ensemble, settings.batch_size, data.train.shape[0]
    step, steps = make_step(settings.optimiser()), math.ceil(count / batch_size)
    order_keys = jax.random.split(jax.random.fold_in(key, state.epoch), ensemble.size)

    def several(i, carry):
        """`STEPS_AT_ONCE` steps, or what is left of them, on orders that are found together."""
        first = i * STEPS_AT_ONCE
        place = first * batch_size + jnp.arange(STEPS_AT_ONCE * batch_size)
        place = jnp.minimum(place.astype(jnp.uint32), jnp.uint32(count - 1))
        orders = jax.vmap(permuted, (None, None, 0))(place, count, order_keys)

        def one(j, carry):
            ensemble, optimiser_state, total = carry
            rows = jax.lax.dynamic_slice_in_dim(orders, j * batch_size, batch_size, axis=1)
            x, y = jnp.split(data.train[rows], [ensemble.in_size], axis=-1)
            left = jnp.minimum(count - (first + j) * batch_size, batch_size)
            ensemble, optimiser_state, loss = step(ensemble, optimiser_state, x, y, left)
            return ensemble, optimiser_state, total + loss

        return jax.lax.fori_loop(0, jnp.minimum(STEPS_AT_ONCE, steps - first), one, carry)

    ensemble, optimiser_state, total = jax.lax.fori_loop(
        0,
        -(-steps // STEPS_AT_ONCE),
        several,
        (ensemble, state.optimiser_state, jnp.zeros(())),
    )
    score = holdout_scores(ensemble, data.holdout, settings.criterion)
    improved = settings.criterion.improved(state.best_score, score)
    best = jax.tree.map(
        lambda new, old: jax.vmap(jnp.where)(improved, new, old), ensemble, state.best
    )
    after = FitState(
        ensemble=ensemble,
        optimiser_state=optimiser_state,
        best=best,
        best_score=jnp.where(improved, score, state.best_score),
        epoch=state.epoch + 1,
        patience=jnp.where(improved.any(), 0, state.patience + 1),
    )
    return after, EpochFigures(
        train_nll=total / steps, holdout_score=score.mean(), improved=improved.sum()
    )


def make_step(optimiser: optax.GradientTransformation) -> Step:
    """One AdamW step: (ensemble, optimiser state, x, y, rows) → both again, and the loss.

    Only the first `rows` of a batch count. The loss is the NLL averaged over members, rows and
    outputs.
    """

    def loss_fn(ensemble, x, y, rows):
        mean, log_std = ensemble.log_gaussian(x, training=True)
        per_row = nll(mean, log_std, y).mean(0)
        counts = (jnp.arange(per_row.size) < rows).astype(per_row.dtype)
        return (per_row * counts).sum() / rows.astype(per_row.dtype)

    def step(ensemble, optimiser_state, x, y, rows):
        loss, grads = eqx.filter_value_and_grad(loss_fn)(ensemble, x, y, rows)
        updates, optimiser_state = optimiser.update(grads, optimiser_state, ensemble)
        return eqx.apply_updates(ensemble, updates), optimiser_state, loss

    return step
