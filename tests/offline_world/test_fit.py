"""Ensemble training: batches, what is kept, when it stops, and that it learns."""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from offline_world.criterion import Criterion, absolute_nll, holdout_scores, relative_mse
from offline_world.fit import FitSettings, FitState, compiled_epoch, fit_epoch, make_step
from offline_world.split import Data, bandit_holdout, continuous_holdout, split_rows
from tests.offline_world import golden_ensemble

STATE, ACTION, MEMBERS = 2, 1, 3


def small_ensemble(seed=0):
    return golden_ensemble.random(
        MEMBERS, STATE + ACTION, STATE + 1, 16, residual=STATE, depth=1, seed=seed
    )


def linear_problem(rows, seed=0):
    """Rows of a linear system with little noise, inputs next to targets."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, STATE + ACTION)).astype(np.float32)
    matrix = np.array([[0.9, 0.2, 0.5], [-0.2, 0.9, 0.0], [0.3, -0.4, 1.0]], np.float32)
    y = x @ matrix + rng.normal(0, 0.01, (rows, STATE + 1)).astype(np.float32)
    return jnp.asarray(np.concatenate([x, y], axis=1))


def small_fit(criterion=None, **changes):
    settings = {"lr": 1e-3, "weight_decay": 1e-4, "batch_size": 32, "patience": 5, "epochs": 100}
    return FitSettings(criterion=criterion or relative_mse(0.01), **settings | changes)


def trained(settings, data, state=None):
    """(state, report) of every epoch; a state's arrays are gone when the next is there."""
    state = state or FitState.begin(settings, small_ensemble())
    epoch = partial(compiled_epoch(settings, data), jax.random.key(1))
    while not state.is_over(settings):
        state, report = epoch(state)
        yield state, report


def last(epochs):
    """The last state, and all reports."""
    states, reports = zip(*epochs, strict=True)
    return states[-1], list(reports)


@pytest.fixture(autouse=True)
def standard_promotion():
    """optax counts its steps in integers."""
    with jax.numpy_dtype_promotion("standard"):
        yield


@pytest.fixture(scope="module")
def problem():
    rows = linear_problem(230)
    return Data(rows[:200], rows[200:])


def test_a_short_last_batch_is_a_step_on_its_rows_alone():
    ensemble, rows = small_ensemble(), linear_problem(20)
    optimiser = optax.adamw(1e-2)
    step = eqx.filter_jit(make_step(optimiser))
    state = optimiser.init(eqx.filter(ensemble, eqx.is_array))
    x, y = (jnp.tile(part[None], (MEMBERS, 1, 1)) for part in jnp.split(rows, [3], axis=1))
    # what lies past the end must not matter
    padded = step(ensemble, state, x.at[:, 13:].set(9.0), y.at[:, 13:].set(-9.0), jnp.asarray(13))
    short = step(ensemble, state, x[:, :13], y[:, :13], jnp.asarray(13))
    for a, b in zip(jax.tree.leaves(padded), jax.tree.leaves(short), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("batch_size", [16, 50])
def test_an_epoch_shows_each_member_every_row_once(batch_size):
    count = 50
    rows = jnp.concatenate([linear_problem(count)[:, :3], jnp.zeros((count, 3))], axis=1)
    seen = []

    def remember(x, y, left):
        seen.append(np.asarray(x)[:, :left])

    with pytest.MonkeyPatch.context() as patch:
        real_step = make_step(optax.adamw(1e-3, weight_decay=1e-4))

        def spying_step(ensemble, state, x, y, left):
            jax.debug.callback(remember, x, y, left)
            return real_step(ensemble, state, x, y, left)

        patch.setattr("offline_world.fit.make_step", lambda optimiser: spying_step)
        last(trained(small_fit(batch_size=batch_size, epochs=1), Data(rows, rows[:5])))
        jax.effects_barrier()
    assert len(seen) == -(-count // batch_size)
    orders = []
    for member in range(MEMBERS):
        visited = np.concatenate([x[member] for x in seen])
        assert visited.shape == (count, 3)
        order = np.argsort(visited[:, 0])
        np.testing.assert_array_equal(visited[order], rows[np.argsort(rows[:, 0]), :3])
        orders.append(tuple(order))
    assert len(set(orders)) == MEMBERS


def test_keeps_each_members_best_weights_and_counts_patience(problem):
    # steps large enough for members to get worse again, at different epochs
    settings = small_fit(lr=0.03, epochs=12, patience=100)
    criterion = relative_mse(0.01)
    score_of = eqx.filter_jit(lambda e: holdout_scores(e, problem.holdout, criterion))
    best, kept, patience = np.full(MEMBERS, np.inf), None, 0
    improvements = []
    for state, report in trained(settings, problem):
        score = np.asarray(score_of(state.ensemble))
        improved = np.asarray(state.best_score) < best
        # this program may round otherwise than the epoch's
        clear = np.abs(score / (best * 0.99) - 1.0) > 1e-3
        np.testing.assert_array_equal(improved[clear], (score < best * 0.99)[clear])
        best = np.asarray(state.best_score)
        np.testing.assert_allclose(best[improved], score[improved], rtol=1e-3)
        patience = 0 if improved.any() else patience + 1
        assert (report.improved, report.patience) == (improved.sum(), patience)
        improvements.append(improved.sum())
        current = jax.tree.map(np.asarray, state.ensemble)

        def choose(new, old, improved=improved):
            return np.where(improved.reshape(-1, *[1] * (new.ndim - 1)), new, old)

        kept = jax.tree.map(choose, current, current if kept is None else kept)
    for ours, expected in zip(jax.tree.leaves(state.best), jax.tree.leaves(kept), strict=True):
        np.testing.assert_array_equal(ours, expected)
    assert any(0 < count < MEMBERS for count in improvements) and 0 in improvements


def test_the_compiled_epoch_counts_patience_and_stops(problem):
    """Nothing can improve on an NLL by more than an infinite amount but the first epoch."""
    settings = small_fit(absolute_nll(1e9), patience=2)
    # an infinite best is improved by the first epoch, then no finite score is good enough
    state, reports = last(trained(settings, problem))
    assert [(r.epoch, r.improved, r.patience) for r in reports] == [
        (1, 3, 0),
        (2, 0, 1),
        (3, 0, 2),
    ]
    assert list(trained(settings, problem, state)) == [], "it has stopped"


def test_a_score_of_nan_never_improves(problem):
    nan = Criterion(
        lambda mean, log_std, target: mean.mean(-1) * jnp.nan, relative_mse(0.0).improved
    )
    state, reports = last(trained(small_fit(nan, patience=1), problem))
    assert [r.improved for r in reports] == [0]
    assert eqx.tree_equal(jax.device_get(state.best), jax.device_get(small_ensemble()))


def test_criteria():
    relative, absolute = relative_mse(0.01).improved, absolute_nll(0.001).improved
    inf = jnp.inf
    best = jnp.array([inf, 1.0, 1.0, 1.0, 1.0])
    score = jnp.array([5.0, 0.98, 0.995, 1.5, jnp.nan])
    assert relative(best, score).tolist() == [True, True, False, False, False]
    best = jnp.array([inf, -2.0, -2.0, -2.0])
    assert absolute(best, jnp.array([3.0, -2.01, -2.0005, jnp.nan])).tolist() == [
        True,
        True,
        False,
        False,
    ]


def test_learns_a_linear_system_and_its_noise():
    rows = linear_problem(1100)
    settings = small_fit(lr=3e-3, epochs=60, patience=60)
    state, reports = last(trained(settings, Data(rows[:1000], rows[1000:])))
    assert (np.asarray(state.best_score) < 0.01).all()
    assert reports[-1].train_nll < -1.0 < reports[0].train_nll
    assert reports[-1].epoch == int(state.epoch) == 60


def test_a_training_goes_on_from_its_state(problem):
    whole, reports = last(trained(small_fit(epochs=4), problem))
    assert [r.epoch for r in reports] == [1, 2, 3, 4]
    half, beginning = last(trained(small_fit(epochs=2), problem))
    again, ending = last(trained(small_fit(epochs=4), problem, half))
    assert beginning + ending == reports
    assert eqx.tree_equal(again, whole)


#: rows → (rows held out, five first and two last indices of training and holdout rows) of
#: scikit-learn 1.9.1's `train_test_split(numpy.arange(rows), test_size=..., random_state=42)`
RECORDED = {
    9: (1, [1, 5, 0, 8, 2, 3, 6], [7, 7]),
    1000: (200, [29, 535, 695, 557, 836, 435, 102], [521, 737, 740, 660, 411, 613, 78]),
    4999: (
        999,
        [3886, 1738, 4943, 2916, 1595, 3772, 860],
        [84, 2470, 2804, 4987, 4924, 4696, 3360],
    ),
    200_000: (
        1000,
        [119184, 194960, 194459, 134833, 35966, 146867, 121958],
        [119737, 72272, 158154, 65426, 30074, 78583, 37920],
    ),
}


@pytest.mark.parametrize("rows", RECORDED)
def test_the_split_is_scikit_learns(rows):
    held, train_ends, holdout_ends = RECORDED[rows]
    train, holdout = split_rows(rows, held)
    assert [*train[:5], *train[-2:]] == train_ends
    # a single row is its own last one
    assert [*holdout[:5], *holdout[-min(2, held) :]] == holdout_ends
    np.testing.assert_array_equal(np.sort(np.concatenate([train, holdout])), np.arange(rows))


def test_a_fifth_is_held_out_and_a_thousand_rows_at_most():
    assert [continuous_holdout(n) for n in (4, 9, 100, 4999, 20_000)] == [0, 1, 20, 999, 1000]
    assert [bandit_holdout(n) for n in (1, 9, 1000, 1001)] == [1, 2, 200, 201]


def test_an_epoch_is_one_call_that_moves_nothing(problem):
    settings, key = small_fit(epochs=3), jax.random.key(1)

    @eqx.filter_jit(donate="all-except-first")
    def epoch(frozen, state):
        return fit_epoch(settings, state, *frozen)

    before, _ = epoch((problem, key), FitState.begin(settings, small_ensemble()))
    with jax.transfer_guard("disallow"):
        after, _ = epoch((problem, key), before)
    assert before.optimiser_state[0].mu.members.mean_head.bias.is_deleted()
    assert int(after.epoch) == 2
