"""make_dataset.py's work: policies, provenance, continuing, mixing, and what it refuses."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import equinox as eqx
import jax
import numpy as np
import pytest
from omegaconf import OmegaConf

from experience.data import own_file
from experience.data.dataset import load_dataset
from experience.data.minari_export import export
from experience.tasks import get_task
from harness.configuration.composition import load_config
from harness.configuration.groups import EnvConfig
from harness.errors import UserError
from harness.run.interrupts import Interrupted
from online_rl.builders import markov_agent
from programs import dataset_making
from programs.agent_files import save_agent
from programs.behaviour import make_behaviour
from programs.dataset_making import Order, make_dataset

RANDOM = Order("hopper-own-random-v2", rows=400, seed=3)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("D4RL_DATASET_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A finished run of a small agent on hopper, as far as its agent is concerned."""
    path = tmp_path_factory.mktemp("run")
    sizes = ("model.d_hidden=8", "model.n_layers=1", "model.num_critics=2")
    config = load_config("d4rl_loco/base_markov", ["dataset_name=hopper-random-v2", *sizes])
    (path / "config.yaml").write_text(OmegaConf.to_yaml(OmegaConf.create(asdict(config))))
    agent = markov_agent(config, 11, 3)
    save_agent(path / "agent", agent, eqx.filter_jit(agent.init)(jax.random.key(1)))
    (path / "finished.json").write_text("{}")
    return path


def rows(path: Path) -> dict[str, np.ndarray]:
    name = path.stem
    return load_dataset(get_task("d4rl_loco", name, EnvConfig(dataset_path=str(path)))).arrays


def first_actions(path: Path) -> np.ndarray:
    ended = rows(path)["terminals"] | rows(path)["timeouts"]
    return rows(path)["actions"][np.append(True, ended[:-1])]


def same(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> bool:
    return all(np.array_equal(first[key], second[key]) for key in first)


def test_stopped_and_started_again_it_makes_the_same_rows(folder, monkeypatch, capsys):
    whole = make_dataset(RANDOM, None)
    assert whole == folder / "hopper-own-random-v2.hdf5"
    assert 400 <= len(rows(whole)["rewards"]) < 500

    again = folder / "again" / whole.name
    monkeypatch.setattr(dataset_making, "deferred", lambda: _StopAfter(0))
    with pytest.raises(Interrupted):
        make_dataset(RANDOM, again)
    assert not again.exists() and len(list(again.parent.glob(".*/*.npz"))) == 1
    with pytest.raises(UserError, match="another collection"):
        make_dataset(replace(RANDOM, seed=4), again)
    monkeypatch.undo()
    make_dataset(RANDOM, again)
    assert same(rows(whole), rows(again))
    assert [path.name for path in again.parent.iterdir()] == [again.name]

    make_dataset(RANDOM, again)
    assert "made by the same command" in capsys.readouterr().out
    with pytest.raises(UserError, match="made otherwise"):
        make_dataset(replace(RANDOM, seed=4), again)


def test_provenance(folder):
    found = own_file.attributes(make_dataset(replace(RANDOM, rows=None, episodes=5), None))
    assert found["environment"] == "hopper-random-v2" and found["policy"] == "random"
    assert (found["engine"], found["seed"], found["episodes"]) == ("mujoco", 3, 5)
    assert "mujoco" in json.loads(found["versions"]) and json.loads(found["command"])


def test_a_run_s_agent_collects_and_its_noise_is_remembered(folder, run):
    calm = make_dataset(Order("hopper-own-calm-v2", str(run), episodes=16), None)
    loud = make_dataset(Order("hopper-own-loud-v2", str(run), episodes=16, noise=0.3), None)
    free = make_dataset(Order("hopper-own-free-v2", str(run), episodes=16, stochastic=True), None)
    spread = [first_actions(path).std(0).max() for path in (calm, loud, free)]
    assert spread[0] < 0.05 and min(spread[1:]) > 0.1
    assert np.abs(rows(loud)["actions"]).max() <= 1

    # the executed action is what the agent sees next
    behaviour = make_behaviour(str(run), 11, 3, seed=0, noise=0.3)
    behaviour.begin(0, 2)
    behaviour.act(np.zeros((2, 11), np.float32), np.zeros(2))
    first = behaviour._action.copy()
    behaviour.begin(0, 2)
    assert (behaviour.act(np.zeros((2, 11), np.float32), np.zeros(2)) == first).all()


def test_a_fresh_network_is_one_policy_whose_seed_decides(folder):
    one, two = (make_behaviour("random-net", 11, 3, seed=seed) for seed in (0, 1))
    states = np.random.default_rng(0).normal(size=(64, 11)).astype(np.float32)
    drawn = []
    for behaviour in (one, one, two):
        behaviour.begin(0, 64)
        drawn.append(behaviour.act(states, np.zeros(64)))
    assert (drawn[0] == drawn[1]).all() and not np.allclose(drawn[0], drawn[2])
    assert drawn[0].std() > 0.1 and np.abs(drawn[0]).max() <= 1


def test_a_mix_is_whole_files_or_their_beginnings(folder):
    one = make_dataset(RANDOM, None)
    two = make_dataset(replace(RANDOM, name="hopper-own-other-v2", seed=4), None)
    order = Order("hopper-own-mix-v2", "mix", sources=(one, two))
    both = make_dataset(order, None)
    joined = {key: np.concatenate([rows(one)[key], rows(two)[key]]) for key in rows(one)}
    assert same(rows(both), joined)
    origins = json.loads(own_file.attributes(both)["sources"])
    assert [origin["seed"] for origin in origins] == ["3", "4"]
    short = make_dataset(replace(order, episodes=2), folder / "short.hdf5")
    ended = own_file.attributes(short)
    assert ended["episodes"] == 4


def test_it_is_exported_to_minari_and_read_back(folder, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(folder / "minari"))
    path = make_dataset(replace(RANDOM, rows=None, episodes=3), None)
    export(path, "own/hopper-v0")
    env = EnvConfig(dataset_path="minari:own/hopper-v0", horizon=1000, ref_min=0.0, ref_max=1.0)
    read = load_dataset(get_task("custom", "x", env)).arrays
    for key, array in rows(path).items():
        assert np.allclose(read[key], array, atol=1e-6), key
    with pytest.raises(UserError, match="mine/random-v0"):
        export(path, "own/hopper-v0")


@pytest.mark.parametrize(
    ("order", "sentence"),
    [
        (Order("hopper-random-v2", rows=9), "published dataset's name"),
        (Order("hopper-own-random-v7", rows=9), "no name of a user's own data"),
        (Order("hopper-own-x-v2", rows=9, noise=0.1), "random already"),
        (Order("hopper-own-x-v2", "runs/none", rows=9), "does not exist"),
        (Order("hopper-own-x-v2", "mix", sources=(Path("none"),)), "none does not exist"),
        (Order("mine", rows=9, env_id="Pendulum-v1"), "--out"),
    ],
)
def test_what_is_refused_leaves_nothing_behind(folder, order, sentence):
    with pytest.raises(UserError, match=sentence):
        make_dataset(order, None)
    assert list(folder.iterdir()) == []


class _StopAfter:
    """A signal that comes after so many looks."""

    def __init__(self, checks: int):
        self._checks = checks

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False

    @property
    def requested(self) -> bool:
        return True

    def check(self) -> None:
        self._checks -= 1
        if self._checks < 0:
            raise Interrupted(15)
