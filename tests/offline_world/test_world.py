"""One imagined step against eq. 17, 20 and 21."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from catalogue.uncertainty import epi_mean
from offline_world.scaler import Scaler, Statistics
from offline_world.terminations import termination_fn
from offline_world.world import World, WorldState
from tests.offline_world import golden_ensemble

STATE, ACTION, MEMBERS = 3, 2, 2
HORIZON = 10

take_step = eqx.filter_jit(World.step)


def never(state, action, next_state):
    return jnp.asarray(False)


def first_coordinate_is_large(state, action, next_state):
    return next_state[0] > 50.0


def make_world(**changes):
    rng = np.random.default_rng(3)
    scaler = Scaler.fit(
        rng.normal([5.0, -3.0, 0.0], [2.0, 0.5, 1.0], (50, STATE)).astype(np.float32),
        rng.uniform(-1, 1, (50, ACTION)).astype(np.float32),
        rng.normal(-4.0, 3.0, 50).astype(np.float32),
        Statistics.EXACT,
    )
    world = World(
        ensemble=golden_ensemble.random(
            MEMBERS, STATE + ACTION, STATE + 1, 8, residual=STATE, depth=1
        ),
        scaler=scaler,
        threshold=jnp.asarray(jnp.inf),
        penalty_coef=jnp.asarray(0.0),
        horizon=HORIZON,
        measure=epi_mean,
        termination=changes.pop("termination", never),
    )
    for name, value in changes.items():
        world = eqx.tree_at(lambda w, name=name: getattr(w, name), world, jnp.asarray(value))
    return world


def at(state, timestep=0):
    state = jnp.asarray(state, jnp.float32)
    count = state.shape[0]
    return WorldState(
        state=state,
        timestep=jnp.full(count, timestep, jnp.int32),
        terminated=jnp.zeros(count, bool),
        truncated=jnp.zeros(count, bool),
    )


def same_place(rollouts):
    state = jnp.tile(jnp.array([[5.0, -3.0, 1.0]]), (rollouts, 1))
    return state, jnp.full((rollouts, ACTION), 0.3)


def quiet(world):
    """The world with next to no noise: σ at the lower end of its range."""
    return eqx.tree_at(
        lambda w: w.ensemble.members.log_std_head.bias, world, jnp.full((MEMBERS, STATE + 1), -1e3)
    )


def test_samples_have_the_assigned_members_moments_in_raw_units():
    world, rollouts = make_world(), 8000
    state, action = same_place(rollouts)
    after, imagined = take_step(world, at(state), action, jax.random.key(0))
    mean, std = world.ensemble(world.scaler.inputs(state[:1], action[:1]))
    raw_std = std[:, 0] * world.scaler.target_std[None]
    raw_mean = mean[:, 0] * world.scaler.target_std[None] + world.scaler.target_mean[None]
    assert not np.allclose(raw_mean[0], raw_mean[1], atol=0.2)
    drawn = np.column_stack([imagined.next_state, imagined.raw_reward])
    half = rollouts // 2
    for member, rows in enumerate([drawn[:half], drawn[half:]]):
        error = 5 * raw_std[member] / half**0.5
        assert (np.abs(rows.mean(0) - raw_mean[member]) < error).all()
        np.testing.assert_allclose(rows.std(0), raw_std[member], rtol=0.06)
    np.testing.assert_array_equal(after.state, imagined.next_state)


def test_rollout_b_lives_in_member_b_over_rollouts_per_member():
    world = quiet(make_world())
    state, action = same_place(6)
    mean, _ = world.ensemble(world.scaler.inputs(state[:1], action[:1]))
    expected, reward = world.scaler.unscale(mean[:, 0])
    _, imagined = take_step(world, at(state), action, jax.random.key(1))
    for b in range(6):
        np.testing.assert_allclose(imagined.next_state[b], expected[b // 3], atol=0.1)
        np.testing.assert_allclose(imagined.raw_reward[b], reward[b // 3], atol=0.1)
    assert np.abs(expected[0] - expected[1]).max() > 0.3


def test_penalty_is_in_the_learned_reward_alone():
    state, action = same_place(4)
    plain = take_step(make_world(), at(state), action, jax.random.key(2))[1]
    penalised = take_step(make_world(penalty_coef=2.5), at(state), action, jax.random.key(2))[1]
    assert (plain.uncertainty > 0.01).all()
    np.testing.assert_allclose(penalised.raw_reward, plain.raw_reward, rtol=1e-5)
    np.testing.assert_allclose(plain.reward, plain.raw_reward, rtol=1e-5)
    np.testing.assert_allclose(
        penalised.reward, plain.raw_reward - 2.5 * plain.uncertainty, rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(penalised.next_state, plain.next_state, rtol=1e-5)


def test_uncertainty_is_that_of_the_inputs_under_all_members():
    world = make_world()
    state = jax.random.normal(jax.random.key(0), (4, STATE)) * 2.0
    action = jnp.zeros((4, ACTION))
    expected = epi_mean(*world.ensemble(world.scaler.inputs(state, action)))
    _, imagined = take_step(world, at(state), action, jax.random.key(3))
    np.testing.assert_allclose(imagined.uncertainty, expected, rtol=1e-4)


def test_the_threshold_truncates_the_crossing_step_only_above_it():
    state = jax.random.normal(jax.random.key(5), (6, STATE)) * 3.0
    action = jnp.zeros((6, ACTION))
    free = take_step(make_world(), at(state), action, jax.random.key(4))[1]
    threshold = float(jnp.sort(free.uncertainty)[2])
    after, cut = take_step(
        make_world(threshold=threshold * 1.0001), at(state), action, jax.random.key(4)
    )
    np.testing.assert_array_equal(cut.truncated, free.uncertainty > threshold * 1.0001)
    np.testing.assert_array_equal(after.truncated, cut.truncated)
    assert cut.truncated.sum() == 3 and not free.truncated.any()
    # the crossing step is a step like any other
    np.testing.assert_allclose(cut.next_state, free.next_state, rtol=1e-5)
    np.testing.assert_allclose(cut.reward, free.reward, rtol=1e-5)
    assert not cut.terminated.any()


@pytest.mark.parametrize("timestep,truncated", [(0, False), (HORIZON - 2, False), (9, True)])
def test_the_horizon_truncates(timestep, truncated):
    state, action = same_place(2)
    after, imagined = take_step(make_world(), at(state, timestep), action, jax.random.key(0))
    assert imagined.truncated.tolist() == [truncated] * 2
    assert after.timestep.tolist() == [timestep + 1] * 2


def test_termination_looks_at_the_state_in_raw_units_and_stays():
    world = quiet(make_world(termination=first_coordinate_is_large))
    state = jnp.array([[5.0, -3.0, 0.0], [500.0, -3.0, 0.0]])
    action = jnp.zeros((2, ACTION))
    after, imagined = take_step(world, at(state), action, jax.random.key(0))
    assert imagined.terminated.tolist() == [False, True]
    assert after.done.tolist() == [False, True]
    back = eqx.tree_at(lambda s: s.state, after, state.at[1, 0].set(5.0))
    again, imagined = take_step(world, back, action, jax.random.key(0))
    assert imagined.next_state[1, 0] < 50 and imagined.terminated.tolist() == [False, True]
    assert again.done.tolist() == [False, True]


@pytest.mark.parametrize("dataset", ["hopper-medium-v2", "walker2d-medium-v2"])
def test_a_state_of_nan_ends_the_rollouts_of_its_own_only(dataset):
    world = make_world(termination=termination_fn("d4rl_loco", dataset))
    # normalised prediction of the height: the input plus the head, both near the healthy 1.2
    world = eqx.tree_at(
        lambda w: (w.scaler, w.ensemble.members.mean_head.weight),
        quiet(world),
        (
            Scaler(
                input_mean=jnp.zeros(5),
                input_std=jnp.ones(5),
                target_mean=jnp.zeros(4),
                target_std=jnp.ones(4),
            ),
            jnp.zeros((MEMBERS, 8, STATE + 1)),
        ),
    )
    world = eqx.tree_at(
        lambda w: w.ensemble.members.mean_head.bias, world, jnp.zeros((MEMBERS, STATE + 1))
    )
    state = jnp.array([[1.2, 0.0, 0.0], [jnp.nan, 0.0, 0.0], [1.2, jnp.nan, 0.0], [1.2, 0.0, 0.0]])
    _, imagined = take_step(world, at(state), jnp.zeros((4, ACTION)), jax.random.key(0))
    assert imagined.terminated.tolist() == [False, True, True, False]
    assert jnp.isfinite(imagined.next_state[jnp.array([0, 3])]).all()


def test_a_diverged_step_ends_its_rollout_and_leaves_finite_numbers():
    world = make_world()
    diverging = at([[1.0, 2.0, 3.0], [jnp.inf, 0.0, 0.0]])
    finite = at([[1.0, 2.0, 3.0], [4.0, 0.0, 0.0]])
    # the second rollout's input is infinite, its stored state stays what it was
    after, imagined = take_step(world, diverging, jnp.zeros((2, ACTION)), jax.random.key(0))
    assert after.truncated.tolist() == [False, True]
    assert jnp.isfinite(imagined.reward).all() and jnp.isfinite(imagined.uncertainty).all()
    broken = make_world(penalty_coef=1.0)
    broken = eqx.tree_at(lambda w: w.scaler.target_std, broken, jnp.full(STATE + 1, jnp.inf))
    after, imagined = take_step(broken, finite, jnp.zeros((2, ACTION)), jax.random.key(0))
    assert after.truncated.all() and not after.terminated.any()
    np.testing.assert_array_equal(imagined.next_state, finite.state)
    assert (imagined.reward == 0.0).all()
