"""Compounding errors against loops that a reader can check by eye."""

from types import SimpleNamespace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from catalogue.uncertainty import UNCERTAINTIES, epi_mean
from experience.data.pendulum import pendulum_dataset
from experience.data.rows import Dataset
from experience.real.oracle import make_oracle
from experience.tasks import get_task
from figures import compounding
from figures.compounding import plot_compounding, spearman
from figures.error_files import error_file, save_errors
from figures.error_quantiles import step_quantiles
from harness.configuration.groups import EnvConfig
from harness.saving.pieces import Pieces
from offline_world.modules import Ensemble
from offline_world.scaler import Scaler
from offline_world.world import Prediction, World
from programs import compounding_error
from programs.compounding_error import (
    ORACLE_HORIZONS,
    beyond_squares,
    compounding_errors,
    error_arrays,
    follow,
    imagine,
    logged_trajectories,
)

MEMBERS = 3
LENGTHS = (4, 1, 6, 2, 5)


class LinearWorld(eqx.Module):
    """Member m adds gain[m] · action to the state."""

    gain: jax.Array
    horizon: int = eqx.field(static=True)

    @property
    def ensemble(self):
        return SimpleNamespace(size=self.gain.shape[0])

    def predict(self, state, action, key):
        member = jnp.arange(len(action)) // (len(action) // self.gain.shape[0])
        after = state + self.gain[member][:, None] * action
        return Prediction(after, after.sum(-1), 2 * after[:, 0])


@pytest.fixture(scope="module")
def dataset():
    """Five episodes of different lengths, ended by timeouts."""
    rng = np.random.default_rng(0)
    rows = sum(LENGTHS)
    timeouts = np.zeros(rows, bool)
    timeouts[np.cumsum(LENGTHS) - 1] = True

    def normal(*shape):
        return rng.normal(size=shape).astype(np.float32)

    return Dataset(
        normal(rows, 2), normal(rows, 2), normal(rows), np.zeros(rows, bool), timeouts,
        normal(rows, 2),
    )  # fmt: skip


@pytest.fixture(scope="module")
def task():
    env = EnvConfig(dataset_path="unused.hdf5", horizon=8, ref_min=0.0, ref_max=1.0)
    return get_task("custom", "toy", env)


def test_errors_are_those_of_a_plain_loop(dataset, task):
    world = LinearWorld(jnp.array([0.5, -1.0, 2.0]), 8)
    logged = logged_trajectories(dataset, task, np.random.default_rng(0))
    arrays = compounding_errors(world, logged, jax.random.key(0), None)
    first = np.cumsum([0, *LENGTHS[:-1]])
    for trajectory, (row, length) in enumerate(zip(first, LENGTHS, strict=True)):
        gain = [0.5, -1.0, 2.0][trajectory % MEMBERS]
        state = dataset.observations[row].copy()
        for step in range(max(LENGTHS)):
            if step < length:
                state = state + gain * dataset.actions[row + step]
                last = step == length - 1
                truth = (dataset.next_observations if last else dataset.observations[1:])[
                    row + step
                ]
                expected = {
                    "rmse": np.sqrt(((state - truth) ** 2).mean()),
                    "rms": np.sqrt((state**2).mean()),
                    "reward_error": state.sum() - dataset.rewards[row + step],
                    "uncertainty": 2 * state[0],
                }
                for name, value in expected.items():
                    np.testing.assert_allclose(
                        arrays[name][step, trajectory], value, rtol=1e-5, atol=1e-5
                    )
            else:
                assert np.isnan(arrays["rmse"][step, trajectory])
                assert np.isnan(arrays["reward_error"][step, trajectory])
                assert np.isfinite(arrays["rms"][step, trajectory])


def test_the_number_of_trajectories_and_the_actions_beyond_them(dataset, task):
    everything = logged_trajectories(dataset, task, np.random.default_rng(0), most=200)
    assert everything.rewards.shape == (6, 5)
    assert everything.states.shape == (7, 5, 2)
    np.testing.assert_array_equal((~np.isnan(everything.rewards)).sum(0), LENGTHS)
    assert everything.actions.shape == (ORACLE_HORIZONS * 8, 5, 2)
    logged = {tuple(action) for action in dataset.actions}
    assert {tuple(action) for action in everything.actions.reshape(-1, 2)} <= logged
    # past the end they vary rather than repeat the last one
    assert len({tuple(action) for action in everything.actions[1:, 1]}) > 5

    few = logged_trajectories(dataset, task, np.random.default_rng(1), most=2)
    assert few.rewards.shape[1] == 2
    other = logged_trajectories(dataset, task, np.random.default_rng(2), most=2)
    assert few.rewards.shape != other.rewards.shape or not np.array_equal(
        few.states[0], other.states[0]
    )


def test_neighbouring_trajectories_live_in_different_members_of_a_real_world():
    """The first step is the own member's Gaussian, whose noise is small beside the members'
    differences; a threshold that everything crosses and a termination stop nothing."""
    state_dim, action_dim, count = 3, 1, 7
    ensemble = Ensemble(
        MEMBERS, state_dim + action_dim, state_dim + 1, 8, residual=state_dim, key=jax.random.key(1)
    )
    head = ensemble.members.log_std_head
    ensemble = eqx.tree_at(
        lambda e: e.members.log_std_head, ensemble, jax.tree.map(lambda x: 0 * x - 50.0, head)
    )
    ones, zeros = jnp.ones(state_dim + 1), jnp.zeros(state_dim + 1)
    world = World(
        ensemble=ensemble,
        scaler=Scaler(input_mean=zeros, input_std=ones, target_mean=zeros, target_std=ones),
        threshold=jnp.float32(-1),
        penalty_coef=jnp.float32(3),
        horizon=4,
        measure=epi_mean,
        termination=lambda state, action, after: jnp.array(True),
    )
    rng = np.random.default_rng(0)
    states = rng.normal(size=(count, state_dim)).astype(np.float32)
    actions = rng.normal(size=(9, count, action_dim)).astype(np.float32)
    imagined = imagine(world, states, actions, jax.random.key(0))
    assert imagined.states.shape == (9, count, state_dim)
    mean, std = ensemble(jnp.concatenate([states, actions[0]], 1))
    own = mean[np.arange(count) % MEMBERS, np.arange(count)]
    other = mean[(np.arange(count) + 1) % MEMBERS, np.arange(count)]
    told = np.concatenate([imagined.states[0], imagined.rewards[0][:, None]], 1)
    assert np.abs(told - own).max() < 5 * float(std.max())
    assert np.abs(told - other).max(1).min() > 5 * float(std.max())
    np.testing.assert_allclose(imagined.uncertainty[0], epi_mean(mean, std), rtol=1e-4)
    assert (np.diff(imagined.states, axis=0) != 0).all()


def test_a_model_that_leaves_the_numbers_counts_as_infinitely_wrong():
    imagined = SimpleNamespace(
        states=np.array([[[np.nan, 0.0], [1.0, 1.0]], [[np.inf, 0.0], [0.0, 0.0]]], np.float32),
        rewards=np.array([[-1.0, 1.0], [np.nan, 0.0]], np.float32),
    )
    states = np.array([[[0.0, 0.0], [1.0, 4.0]], [[0.0, 0.0], [np.nan, np.nan]]], np.float32)
    rewards = np.array([[0.0, 3.0], [0.0, np.nan]], np.float32)
    arrays = error_arrays(imagined, states, rewards)
    np.testing.assert_allclose(arrays["rmse"], [[np.inf, np.sqrt(4.5)], [np.inf, np.nan]])
    np.testing.assert_allclose(arrays["reward_error"], [[-1.0, -2.0], [-np.inf, np.nan]])


def test_following_logged_actions_in_the_true_pendulum_gives_the_log():
    dataset = pendulum_dataset()
    env = EnvConfig(id="Pendulum-v1", horizon=30, ref_min=-1220.0, ref_max=-150.0)
    task = get_task("pendulum", "pendulum-random-v1", env)
    logged = logged_trajectories(dataset, task, np.random.default_rng(0), most=3)
    oracle = make_oracle("pendulum", "pendulum-random-v1", env)
    states, rewards = follow(oracle, logged.states[0], logged.actions)
    assert len(states) == 60
    np.testing.assert_allclose(states[:20], logged.states[1:21], atol=1e-3)
    np.testing.assert_allclose(rewards[:20], logged.rewards[:20], atol=1e-2)

    gain = LinearWorld(jnp.ones(1), 30)
    arrays = compounding_errors(gain, logged, jax.random.key(0), oracle)
    assert arrays["oracle_rmse"].shape == (60, 3)
    assert np.isfinite(arrays["oracle_rmse"]).all()
    np.testing.assert_allclose(arrays["oracle_rmse"][:20], arrays["rmse"][:20], atol=1e-3)


def test_a_study_that_is_stopped_anywhere_goes_on_to_the_same_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr(compounding_error, "BLOCK_STEPS", 16)
    monkeypatch.setattr(compounding_error, "BLOCK_TRAJECTORIES", 2)
    env = EnvConfig(id="Pendulum-v1", horizon=30, ref_min=-1220.0, ref_max=-150.0)
    task = get_task("pendulum", "pendulum-random-v1", env)
    logged = logged_trajectories(pendulum_dataset(), task, np.random.default_rng(0), most=3)
    oracle = make_oracle("pendulum", "pendulum-random-v1", env)
    world = LinearWorld(jnp.ones(1), 30)
    whole = compounding_errors(world, logged, jax.random.key(0), oracle)
    computed = []

    def stopped(name, compute):
        def once():
            if len(computed) == len(set(computed)) and name not in computed:
                computed.append(name)
                raise KeyboardInterrupt
            return compute()

        return Pieces(tmp_path, ["a study"])(name, once)

    while True:
        try:
            arrays = compounding_errors(world, logged, jax.random.key(0), oracle, None, stopped)
            break
        except KeyboardInterrupt:
            continue
    assert computed == [f"imagined_{i}" for i in (0, 16, 32, 48)] + ["followed_0", "followed_2"]
    assert arrays.keys() == whole.keys()
    for name, array in whole.items():
        np.testing.assert_array_equal(arrays[name], array, name)
    # a damaged piece, and one of other inputs, are computed again
    (piece,) = tmp_path.rglob("imagined_16.npz")
    piece.write_bytes(piece.read_bytes()[:-9])
    again = compounding_errors(
        world, logged, jax.random.key(0), oracle, None, Pieces(tmp_path, ["a study"])
    )
    np.testing.assert_array_equal(again["rmse"], whole["rmse"])
    Pieces(tmp_path, ["another"])("imagined_0", lambda: {"x": np.zeros(1)})
    assert len(list(tmp_path.rglob("imagined_0.npz"))) == 2


def test_quantiles_over_the_trajectories_that_are_left():
    values = np.array([[1.0, -2.0, 3.0], [np.inf, 5.0, np.nan], [np.nan, np.nan, -7.0]])
    low, median, high = step_quantiles(values)
    np.testing.assert_array_equal(median, [1.0, 5.0, -7.0])
    np.testing.assert_array_equal(low, [-2.0, 5.0, -7.0])
    np.testing.assert_array_equal(high, [3.0, np.inf, -7.0])


def test_spearman_takes_logged_steps_only():
    errors = {
        "rmse": np.array([[1.0, 2.0], [4.0, np.nan]]),
        "uncertainty": np.array([[0.1, 0.2], [0.3, 0.0], [9.0, 9.0]]),
    }
    assert spearman(errors) == pytest.approx(1.0)
    errors["uncertainty"][1, 0] = 0.0
    assert spearman(errors) == pytest.approx(-0.5)


@pytest.mark.filterwarnings("error")
def test_world_models_with_different_arrays_and_lengths_are_drawn(tmp_path, monkeypatch, capsys):
    """One has no oracle and fewer steps, and no trajectory of the other reaches step 100; one was
    trained five times as long, and some of the other's errors leave all bounds."""
    rng = np.random.default_rng(0)
    for has_ln, steps in ((True, 120), (False, 12)):
        arrays = {name: rng.random((steps, 5)) for name in ("rmse", "uncertainty", "rms")}
        arrays |= {"threshold_quantiles": np.array([0.9]), "thresholds": np.array([0.5])}
        arrays["epochs"] = np.full((1, 5), 60.0 if has_ln else 12.0)
        if has_ln:
            arrays["oracle_rmse"] = rng.random((steps, 5))
            arrays["rmse"][50:] = np.nan
        else:
            arrays["rms"][:, 4] = np.inf
        save_errors(error_file(tmp_path, "train", "eval", has_ln, 0), arrays)
    figures = []
    save = compounding.save_figure
    monkeypatch.setattr(
        compounding, "save_figure", lambda f, *rest: figures.append(f) or save(f, *rest)
    )
    paths = plot_compounding(tmp_path, "train", "eval")
    told = "epochs of training: with LayerNorm 60, without LayerNorm 12"
    assert told in capsys.readouterr().err
    growth = figures[0]
    text = growth.legends[0].get_title().get_text().replace("\n", " ")
    assert told in text and "not trained alike" in text and "bands are cut" in text
    panels = [ax for ax in growth.axes if ax.has_data()]
    assert len({ax.get_xlim() for ax in panels}) == 1
    # medians are below 1, whatever the worst trajectory does
    assert all(ax.get_ylim()[1] < 100 for ax in panels)
    with np.load(paths[2]) as drawn:
        assert {name for name in drawn if "oracle" in name} == set()
        assert drawn["with_LN_rms"].shape == (3, 120) and drawn["without_LN_rms"].shape == (3, 12)
    rows = paths[-1].read_text().splitlines()[4:]
    assert [row.split(" | ")[-1] for row in rows] == ["– |"] * 4
    assert "–" not in rows[0].split(" | ")[-2]


@pytest.mark.parametrize("name", UNCERTAINTIES)
def test_an_uncertainty_is_measured_beyond_what_its_squares_can_hold(name):
    rng = np.random.default_rng(0)
    mean, std = (jnp.asarray(np.abs(rng.normal(size=(3, 2, 4))), jnp.float32) for _ in range(2))
    small = UNCERTAINTIES[name](mean, std)
    scaled = beyond_squares(UNCERTAINTIES[name])
    np.testing.assert_array_equal(scaled(mean, std), small)
    large = scaled(mean * np.float32(1e30), std * np.float32(1e30))
    np.testing.assert_allclose(large, small * 1e30, rtol=1e-5)
