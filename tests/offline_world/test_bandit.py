"""The bandit's data and its imagined world."""

import os
import pickle
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from catalogue.uncertainty import epi_mean
from harness.errors import UserError
from offline_world.bandit_dataset import load_dataset, make_dataset, save_dataset
from offline_world.bandit_task import ARMS
from offline_world.bandit_world import BanditWorld, arm_means
from offline_world.checkpoint import load_bandit_ensemble
from offline_world.criterion import absolute_nll, holdout_scores
from offline_world.modules import nll
from offline_world.selection import best_members
from offline_world.split import bandit_holdout, split_rows
from offline_world.world import WorldState
from tests import golden_map
from tests.offline_world import golden_ensemble

SHIPPED = golden_map.GOLDEN.parents[1] / "offline_world" / "data" / "bandit.npz"


def check_golden(ensemble, g):
    mean, std = eqx.filter_jit(ensemble)(g["x"])
    np.testing.assert_allclose(mean, g["mu"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(std, g["sigma"], rtol=1e-4, atol=1e-5)
    golden_ensemble.check_uncertainties(g, mean, std)
    found = nll(mean, jnp.log(std), g["y"]).mean(-1)
    np.testing.assert_allclose(found, g["nll"], rtol=1e-4, atol=1e-5)


def test_model_matches_the_published_one():
    g = golden_map.load("bandit_model")
    check_golden(golden_ensemble.ensemble(g, continuous=False), g)


@pytest.fixture(scope="module")
def published():
    return load_bandit_ensemble(golden_map.GOLDEN / "bandit_ensemble_seed0.eqx", ARMS)


def test_trained_ensemble_matches_the_published_one(published):
    check_golden(published, golden_map.load("bandit_ensemble_seed0_expected"))


def test_best_members_are_those_of_least_nll(published):
    g = golden_map.load("bandit_ensemble_seed0_expected")
    holdout = jnp.concatenate([g["x"], g["y"]], axis=1)
    count = published.size // 10
    best = best_members(published, holdout, count, absolute_nll(1e-3))
    scores = eqx.filter_jit(holdout_scores)(best, holdout, absolute_nll(1e-3))
    np.testing.assert_allclose(scores, np.sort(g["nll"])[:count], rtol=1e-4)


def test_a_fifth_of_the_rows_is_held_out():
    train, holdout = split_rows(1000, bandit_holdout(1000))
    assert len(holdout) == 200
    np.testing.assert_array_equal(np.sort(np.concatenate([train, holdout])), np.arange(1000))


def test_shipped_data_is_what_seed_0_makes(tmp_path):
    save_dataset(tmp_path / "again.npz", make_dataset(0))
    # the bytes of a zip file depend on Python's version
    with np.load(tmp_path / "again.npz") as again, np.load(SHIPPED) as shipped:
        assert set(again) == set(shipped) == {"arms", "rewards"}
        for name in again:
            np.testing.assert_array_equal(again[name], shipped[name], strict=True)


def test_data_is_pulls_of_the_first_arm():
    dataset = load_dataset(SHIPPED)
    assert dataset.arms.shape == dataset.rewards.shape == (10, 100)
    rows = dataset.rows()
    assert (rows[:, 0] == 1).all() and (rows[:, 1] == 0).all()
    assert set(np.unique(rows[:, 2])) == {0.0, 1.0}
    assert abs(rows[:, 2].mean() - 0.5) < 0.05
    assert not np.array_equal(dataset.rewards, make_dataset(1).rewards)


@pytest.mark.parametrize(
    "named",
    [
        lambda d: {"arms": d.arms, "rewards": d.rewards},
        lambda d: {"actions": np.eye(2)[d.arms], "rewards": d.rewards[..., None]},
        lambda d: {"actions": d.arms.reshape(-1).tolist(), "rewards": list(d.rewards.reshape(-1))},
    ],
    ids=["arrays", "one-hot", "lists"],
)
def test_a_pickle_of_plain_arrays_is_read(tmp_path, named):
    dataset = make_dataset(0)
    (tmp_path / "bandit.pkl").write_bytes(pickle.dumps(named(dataset)))
    found = load_dataset(tmp_path / "bandit.pkl")
    np.testing.assert_array_equal(found.rows(), dataset.rows(), strict=True)


def published_layout(dataset):
    """The published file's: an episode a dict, its last row a dummy."""

    def episode(arms, rewards):
        rows = len(arms) + 1
        arms, rewards = np.append(arms, arms[-1]), np.append(rewards, 1.0)
        previous = np.concatenate([[0], arms[:-1]])
        return {
            "start": np.arange(rows) == 0,
            "observation": np.concatenate(
                [np.zeros((rows, 1)), np.eye(2)[previous], np.zeros((rows, 1))], axis=1
            ).astype(np.float32),
            "action": arms.astype(np.int32),
            "next_reward": rewards.astype(np.float64),
            "next_terminated": np.zeros(rows, bool),
            "next_truncated": np.arange(rows) >= rows - 2,
        }

    return [episode(*pulls) for pulls in zip(dataset.arms, dataset.rewards, strict=True)]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_the_published_layout_is_read_without_its_dummy_rows(tmp_path, protocol):
    dataset = make_dataset(3)
    path = tmp_path / "bandit.pkl"
    path.write_bytes(pickle.dumps(published_layout(dataset), protocol))
    np.testing.assert_array_equal(load_dataset(path).rows(), dataset.rows(), strict=True)


def _uneven(path):
    content = published_layout(make_dataset(0))
    content[4]["next_reward"] = content[4]["next_reward"][:-1]
    path.write_bytes(pickle.dumps(content))


def _calling(path):
    content = published_layout(make_dataset(0))
    content[9]["observation"] = _Harmful()
    path.write_bytes(pickle.dumps(content))


class _Harmful:
    def __reduce__(self):
        return os.mkdir, ("made",)


def _objects(path):
    np.savez(path, arms=np.array([[{}]], object), rewards=np.zeros((1, 1)))


def _pickled(content):
    return lambda path: path.write_bytes(pickle.dumps(content))


@pytest.mark.parametrize(
    ("name", "write", "says"),
    [
        ("text.pkl", lambda p: p.write_text("no"), "not a pickle of plain arrays"),
        ("path.pkl", _pickled(Path("x")), "asks for pathlib.PosixPath"),
        ("names.pkl", _pickled({"returns": np.ones(3)}), "it holds returns"),
        ("list.pkl", _pickled([1.0]), "it holds one list"),
        ("uneven.pkl", _uneven, "episode 4 has `action` (101,) and `next_reward` (100,)"),
        ("call.pkl", _calling, "asks for posix.mkdir"),
        ("words.pkl", _pickled({"arms": "no", "rewards": [0.0, 1.0]}), "not numbers"),
        ("length.pkl", _pickled({"arms": np.ones(5), "rewards": np.ones(4)}), "(1, 5)"),
        ("none.npz", lambda p: None, "does not exist"),
        ("text.npz", lambda p: p.write_text("no"), "not an .npz file"),
        ("one.npz", lambda p: np.savez(p, arms=np.zeros((1, 1), int)), "not an .npz file"),
        ("objects.npz", _objects, "not an .npz file"),
        (
            "shape.npz",
            lambda p: np.savez(p, arms=np.zeros((2, 3), int), rewards=np.zeros((3, 2))),
            "(episode, pull)",
        ),
        (
            "arm.npz",
            lambda p: np.savez(p, arms=np.full((1, 1), 2), rewards=np.zeros((1, 1))),
            "from 0 to 1",
        ),
        (
            "nan.npz",
            lambda p: np.savez(p, arms=np.zeros((1, 1), int), rewards=np.full((1, 1), np.nan)),
            "finite",
        ),
    ],
)
def test_bad_data_files_are_named(tmp_path, name, write, says):
    path = tmp_path / name
    write(path)
    with pytest.raises(UserError) as raised:
        load_dataset(path)
    assert says in str(raised.value) and name in str(raised.value)


def test_world_pays_what_each_rollouts_own_member_expects(published):
    ensemble = published.subset(jnp.arange(4))
    world = BanditWorld(
        ensemble=ensemble, penalty_coef=jnp.asarray(0.5), horizon=3, measure=epi_mean
    )
    count = 4 * 500
    action = jax.nn.one_hot(jnp.arange(count) % 2, 2)
    zeros = jnp.zeros(count, bool)
    begin = WorldState(
        state=jnp.zeros((count, 1)),
        timestep=jnp.zeros(count, jnp.int32),
        terminated=zeros,
        truncated=zeros,
    )
    step = eqx.filter_jit(world.step)
    state, imagined = step(begin, action, jax.random.key(0))

    means, stds = (np.asarray(x)[..., 0] for x in ensemble(jnp.eye(2)))
    np.testing.assert_allclose(arm_means(ensemble, 2), means, rtol=1e-6)
    of_member = np.asarray(imagined.raw_reward).reshape(4, 250, 2)
    np.testing.assert_allclose(of_member.mean(1), means, atol=5 * 0.6 / 250**0.5)
    np.testing.assert_allclose(of_member.std(1), stds, rtol=0.25)
    spread = means.std(0)[np.arange(count) % 2]
    np.testing.assert_allclose(imagined.uncertainty, spread, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(
        imagined.reward, imagined.raw_reward - 0.5 * imagined.uncertainty, atol=1e-6
    )

    for _ in range(2):
        assert not state.done.any()
        state, imagined = step(state, action, jax.random.key(1))
    assert state.truncated.all() and not state.terminated.any()
    assert not state.state.any()
