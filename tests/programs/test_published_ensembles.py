"""A published ensemble on the dataset that it was trained for: inputs, members, threshold, all of
them computed here a second time from the published rules, with NumPy alone."""

import dataclasses
import json

import h5py
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experience.data.dataset import load_dataset
from experience.tasks import get_task
from harness.configuration.composition import load_config
from harness.errors import UserError
from offline_world.checkpoint import load_ensemble, save_ensemble, stored_statistics
from offline_world.scaler import Statistics
from programs.trained_ensemble import check_learned_from
from programs.world_data import WorldData, statistics_of
from programs.world_model import build_world, build_worlds
from tests import golden_map
from tests.experience.collect import write_d4rl

HELD_OUT_OF = 0.2


def published_rule(arrays):
    """Normalised inputs and targets of all world-model rows in file order, in float32."""
    rows = np.flatnonzero(~arrays["timeouts"].astype(bool))
    rows = rows[rows < len(arrays["timeouts"]) - 1]
    states = arrays["observations"]
    if "next_observations" in arrays:
        following = arrays["next_observations"][rows]
    else:
        rows = rows[~arrays["terminals"][rows].astype(bool)]
        following = states[rows + 1]
    states, actions, rewards = (arrays[k][rows] for k in ("observations", "actions", "rewards"))

    def normalised(x, of):
        std = np.std(of, axis=0)
        return (x - np.mean(of, axis=0)) / np.where(std < 1e-12, np.float32(1), std)

    inputs = [normalised(states, states), normalised(actions, actions)]
    targets = [normalised(following, states), normalised(rewards, rewards)[:, None]]
    return np.concatenate(inputs, 1), np.concatenate(targets, 1)


def forward(path, x):
    """Means (member, row, out) of the file's ensemble, as the format's description has it."""
    with open(path, "rb") as file:
        has_ln = json.loads(file.readline())["has_ln"]
        state_dim = int(np.load(file))
        h = x[None]
        for _ in range(4):
            weight, bias = np.load(file), np.load(file)
            h = np.einsum("noi,nri->nro", weight, np.broadcast_to(h, (len(weight), *h.shape[1:])))
            h = h + bias[:, None]
            if has_ln:
                scale, offset = np.load(file), np.load(file)
                h = (h - h.mean(-1, keepdims=True)) / np.sqrt(h.var(-1, keepdims=True) + 1e-5)
                h = h * scale[:, None] + offset[:, None]
            h = np.where(h > 0, h, 0.01 * h)
        weight, bias = np.load(file), np.load(file)
        mean = np.einsum("noi,nri->nro", weight, h) + bias[:, None]
    mean[..., :state_dim] += x[None, :, :state_dim]
    return mean


@pytest.fixture
def hopper(tmp_path, monkeypatch):
    """Two thousand rows in the real layout, one column of which never changes."""
    monkeypatch.setenv("D4RL_DATASET_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rng, rows = np.random.default_rng(0), 2000
    states = np.cumsum(rng.normal(0, 0.1, (rows + 1, 11)), 0).astype(np.float32)
    states[:, 4] = 0.137
    arrays = {
        "observations": states[:-1],
        "next_observations": states[1:],
        "actions": rng.uniform(-1, 1, (rows, 3)).astype(np.float32),
        "rewards": rng.normal(2.0, 1.0, rows).astype(np.float32),
        "terminals": np.zeros(rows, bool),
        "timeouts": np.arange(rows) % 500 == 499,
    }
    write_d4rl(tmp_path / "hopper_medium-v2.hdf5", arrays)
    return arrays


def test_members_and_threshold_are_the_published_rules(hopper, tmp_path):
    task = get_task("d4rl_loco", "hopper-medium-v2")
    config = load_config(
        "d4rl_loco/base",
        ["dataset_name=hopper-medium-v2", "collect.ensemble_size=4", "collect.unc_quantile=0.9"],
    )
    config.ensemble.save_dir = str(tmp_path)
    path = tmp_path / "hopper-medium-v2/ensemble_seed0.eqx"
    path.parent.mkdir()
    path.write_bytes((golden_map.GOLDEN / "ensemble_seed0.eqx").read_bytes())

    x, y = published_rule(hopper)
    count = len(x)
    held = min(int(HELD_OUT_OF * count), 1000)
    order = np.random.RandomState(42).permutation(count)
    mean = forward(path, x)
    mse = ((mean[:, order[:held]] - y[None, order[:held]]) ** 2).mean((1, 2))
    best = np.argsort(mse)[:4]
    uncertainty = np.sqrt(mean[best].var(0).mean(-1))

    built = build_world(config, task, load_dataset(task))
    world = built.world
    every = load_ensemble(path, 11, 3)
    for ours, theirs in zip(
        jax.tree.leaves(world.ensemble),
        jax.tree.leaves(every.subset(jnp.asarray(best))),
        strict=True,
    ):
        np.testing.assert_array_equal(ours, theirs)
    threshold = np.quantile(uncertainty, 0.9)
    np.testing.assert_allclose(world.threshold, threshold, rtol=1e-4)
    assert built.figures() == {
        "unc/train_mean": pytest.approx(uncertainty.mean(), rel=1e-4),
        "unc/threshold": pytest.approx(threshold, rel=1e-4),
    }
    assert np.abs(x[:, 4]).min() > 0.9, "the constant column is ∓1, not 0"
    # the rule that our earlier versions had would have told them apart in another way
    exact = (x[:, 4] * 0)[:, None]
    other = forward(path, np.concatenate([x[:, :4], exact, x[:, 5:]], 1))
    other_mse = ((other[:, order[:held]] - y[None, order[:held]]) ** 2).mean((1, 2))
    assert np.abs(other_mse / mse - 1).max() > 1e-3


def test_hammers_constant_columns_are_normalised_as_published(tmp_path, monkeypatch):
    """200 000 rows; the nail's x and y never change, nor does a column of zeros."""
    monkeypatch.setenv("D4RL_DATASET_DIR", str(tmp_path))
    rng, rows = np.random.default_rng(1), 200_000
    states = rng.random((rows, 46), np.float32)
    states[:, 42:45] = [0.05, -0.2, 0.0]
    arrays = {
        "observations": states,
        "actions": rng.random((rows, 26), np.float32),
        "rewards": rng.random(rows, np.float32),
        "terminals": np.zeros(rows, bool),
        "timeouts": np.arange(rows) % 200 == 199,
    }
    task = get_task("adroit", "hammer-cloned-v1")
    with h5py.File(tmp_path / "hammer-cloned-v1.hdf5", "w") as file:
        for key, array in arrays.items():
            file[key] = array
    rows = WorldData.from_dataset(load_dataset(task), task)
    x, y = published_rule(arrays)
    order = np.random.RandomState(42).permutation(len(x))
    train = np.asarray(rows.data.train)
    expected = np.concatenate([x, y], 1)[order[1000:]]
    np.testing.assert_allclose(train, expected, rtol=0, atol=1e-6)
    assert (np.abs(np.abs(train[:, 42:44]) - 1) < 0.01).all() and (train[:, 44] == 0).all()


def test_a_file_says_which_statistics_it_was_trained_with(hopper, tmp_path):
    ensemble = load_ensemble(golden_map.GOLDEN / "ensemble_seed0.eqx", 11, 3)
    path = tmp_path / "hopper-medium-v2/ensemble_seed0.eqx"
    for statistics in Statistics:
        save_ensemble(path, ensemble, statistics)
        assert stored_statistics(path) is statistics
        load_ensemble(path, 11, 3)
    save_ensemble(path, ensemble, Statistics.EXACT)

    task = get_task("d4rl_loco", "hopper-medium-v2")
    overrides = ["dataset_name=hopper-medium-v2", "collect.ensemble_size=4"]
    config = load_config("d4rl_loco/base", overrides)
    config.ensemble.save_dir = str(tmp_path)
    with pytest.raises(UserError, match="normalised with exact statistics, but those of hopper-"):
        build_world(config, task, load_dataset(task))


@pytest.fixture
def saved(hopper, tmp_path, monkeypatch):
    """Checks a world model of hopper's, saved with these words in its header (None: published)."""
    task = get_task("d4rl_loco", "hopper-medium-v2")
    config = load_config("d4rl_loco/base", ["dataset_name=hopper-medium-v2"])
    config.ensemble.save_dir = str(tmp_path)
    path = tmp_path / "hopper-medium-v2/ensemble_seed0.eqx"
    published = golden_map.GOLDEN / "ensemble_seed0.eqx"
    dataset = load_dataset(task)

    def check(words: tuple | None, dataset=dataset):
        save_ensemble(path, load_ensemble(published, 11, 3), *(words or ()))
        if words is None:
            path.write_bytes(published.read_bytes())
        check_learned_from(config, statistics_of(task), dataset)

    return check, dataset


def test_a_world_model_belongs_to_the_data_that_it_learned_from(saved):
    check, dataset = saved
    check((Statistics.PUBLISHED, dataset.digest))
    check((Statistics.PUBLISHED, None))
    check(None)
    other = dataclasses.replace(dataset, rewards=dataset.rewards + 1)
    words = "eqx learned from other data than those of hopper-medium-v2 are now .* train it again"
    with pytest.raises(UserError, match=words) as caught:
        check((Statistics.PUBLISHED, dataset.digest), other)
    assert "restart=true" in str(caught.value) and "\n" not in str(caught.value)


def test_only_a_file_of_ours_that_says_nothing_gets_a_note(saved, capsys):
    check, dataset = saved
    check((Statistics.PUBLISHED, dataset.digest))
    check(None)
    assert "note: " not in capsys.readouterr().out
    check(())
    told = capsys.readouterr().out
    assert "eqx is of an earlier version" in told and "float64 statistics" in told


def test_worlds_of_several_seeds_are_of_one_reading_of_the_data(hopper, tmp_path, capsys):
    task = get_task("d4rl_loco", "hopper-medium-v2")
    overrides = ["dataset_name=hopper-medium-v2", "collect.ensemble_size=4"]
    configs = [load_config("d4rl_loco/base", [*overrides, f"seed={seed}"]) for seed in (0, 1)]
    dataset = load_dataset(task)
    for config in configs:
        config.ensemble.save_dir = str(tmp_path)
        ensemble = load_ensemble(golden_map.GOLDEN / "ensemble_seed0.eqx", 11, 3)
        grown = jax.tree.map(lambda leaf, by=1 + config.seed / 8: leaf * by, ensemble)
        save_ensemble(tmp_path / f"hopper-medium-v2/ensemble_seed{config.seed}.eqx", grown)
    capsys.readouterr()
    together = build_worlds(configs, task, dataset)
    assert capsys.readouterr().out.count("termination rule: ends ") == 1
    assert together[0].world.scaler is together[1].world.scaler
    for config, (world, uncertainties) in zip(configs, together, strict=True):
        alone = build_world(config, task, dataset)
        np.testing.assert_array_equal(uncertainties, alone.uncertainties)
        for one, other in zip(jax.tree.leaves(world), jax.tree.leaves(alone.world), strict=True):
            np.testing.assert_array_equal(one, other)
