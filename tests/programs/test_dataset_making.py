"""make_dataset.py's work: policies, provenance, continuing, mixing, and what it refuses."""

import json
import shutil
import sys
import threading
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
from experience.data.rows import Dataset
from experience.data.sources import hdf5
from experience.tasks import get_task
from harness.configuration.composition import load_config
from harness.configuration.groups import EnvConfig
from harness.errors import UserError
from harness.locks import only_process
from harness.process.interrupts import Interrupted
from online_rl.builders import markov_agent
from programs import dataset_making
from programs.agent_files import save_agent
from programs.behaviour import make_behaviour
from programs.dataset_making import make_dataset
from programs.dataset_order import Order

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


def files_in(folder: Path) -> list[str]:
    """Everything but locks."""
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def own(
    path: Path, environment: str | None, rows: int = 30, sizes: tuple[int, int] = (17, 6)
) -> Path:
    """A file of three episodes that says it is of this environment."""
    state, action = (np.zeros((rows, size), np.float32) for size in sizes)
    ends = np.arange(1, rows + 1) % (rows // 3) == 0
    dataset = Dataset(state, action, np.zeros(rows, np.float32), ends & False, ends, state)
    own_file.write(path, dataset, {} if environment is None else {"environment": environment})
    return path


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
    assert files_in(again.parent) == [again.name]

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
        (Order("hopper-own-x-v2", rows=9, noise=0.1), "random has no use for --noise"),
        (Order("hopper-own-x-v2", rows=9, sources=(Path("a"),)), "no use for --files"),
        (Order("hopper-own-x-v2", "random-net", rows=9, stochastic=True), "for --stochastic"),
        (Order("hopper-own-x-v2", "runs/none", rows=9, sources=(Path("a"),)), "for --files"),
        (
            Order("hopper-own-x-v2", "mix", noise=0.1, stochastic=True, seed=1, horizon=9),
            "mix has no use for --seed, --noise, --stochastic, --horizon",
        ),
        (Order("hopper-own-x-v2", rows=9, env_kwargs={"g": 1}), "--env_kwargs are for"),
        (Order("hopper-own-x-v2", rows=9, domain="d4rl_loco", env_id="X-v0"), "leave out --env_id"),
        (Order("mine", rows=9, env_id="Pendulum-v1", engine="mujoco_py"), "--engine=mujoco_py is"),
        (Order("mine", rows=9, domain="custom"), "needs --env_id"),
        (Order("hopper-own-x-v2", "runs/none", rows=9), "does not exist"),
        (Order("hopper-own-x-v2", "mix", sources=(Path("none"),)), "none does not exist"),
        (Order("mine", rows=9, env_id="Pendulum-v1"), "--out"),
    ],
)
def test_what_is_refused_leaves_nothing_behind(folder, order, sentence):
    with pytest.raises(UserError, match=sentence):
        make_dataset(order, None)
    assert list(folder.iterdir()) == []


def test_who_comes_second_waits_and_finds_what_the_first_made(folder, monkeypatch, capsys):
    whole = make_dataset(RANDOM, None)
    again = folder / "again.hdf5"
    waits, made = threading.Event(), []
    monkeypatch.setattr(dataset_making, "say", lambda _: waits.set())
    second = threading.Thread(target=lambda: made.append(make_dataset(RANDOM, again)))
    with only_process(again, pytest.fail):
        second.start()
        assert waits.wait(60), "the second did not wait"
        shutil.copy(whole, again)
    second.join()
    assert made == [again] and "made by the same command" in capsys.readouterr().out
    assert files_in(folder) == [again.name, whole.name]


def test_parts_that_are_not_all_there_or_damaged_are_told(folder, monkeypatch):
    monkeypatch.setattr(dataset_making, "deferred", lambda: _StopAfter(0))
    for _ in range(2):
        with pytest.raises(Interrupted):
            make_dataset(replace(RANDOM, rows=4000), None)
    first, second = sorted(folder.glob(".*/*.npz"))
    kept = first.read_bytes()
    first.write_bytes(kept[:999])
    with pytest.raises(UserError, match=rf"{first.name} is damaged .*remove the folder"):
        make_dataset(replace(RANDOM, rows=4000), None)
    first.unlink()
    with pytest.raises(UserError, match=rf"{second.name} does not begin .* block 0: remove"):
        make_dataset(replace(RANDOM, rows=4000), None)


def test_parts_that_vanish_meanwhile_are_not_left_out_in_silence(folder):
    parts = own_file.Parts(folder / "x.hdf5", {})
    (folder / "some").mkdir()
    episode = hdf5.read(own(folder / "some/file.hdf5", None), "", "")
    for _ in range(2):
        parts.add([episode])
        parts.flush()
    assert parts.dataset().rows == 60
    sorted(parts.folder.glob("*.npz"))[-1].unlink()
    with pytest.raises(UserError, match="parts have vanished"):
        parts.dataset()
    parts.discard()
    with pytest.raises(UserError, match="parts have vanished"):
        parts.dataset()


def test_a_file_in_the_place_of_the_folder_is_a_sentence(folder):
    (folder / "README.md").write_text("")
    with pytest.raises(UserError, match="x.hdf5 could not be written"):
        make_dataset(RANDOM, folder / "README.md" / "x.hdf5")


def test_a_collection_that_failed_at_once_is_in_nobody_s_way(folder, monkeypatch):
    def fail(*_, **__):
        raise UserError("not finite")

    monkeypatch.setattr(dataset_making, "record_blocks", fail)
    with pytest.raises(UserError, match="not finite"):
        make_dataset(RANDOM, None)
    assert files_in(folder) == []
    # what an older version left
    (folder / ".hopper-own-random-v2.hdf5.parts").mkdir()
    (folder / ".hopper-own-random-v2.hdf5.parts/settings.json").write_text("{}")
    monkeypatch.undo()
    monkeypatch.setenv("D4RL_DATASET_DIR", str(folder))
    make_dataset(replace(RANDOM, rows=20), None)
    assert files_in(folder) == ["hopper-own-random-v2.hdf5"]


@pytest.mark.parametrize("flags", [("--noise", "-0.3"), ("--env_kwargs", "5")])
def test_mistaken_values_end_the_program_with_a_sentence(folder, flags, monkeypatch, capsys):
    import make_dataset as program

    monkeypatch.setattr(sys, "argv", ["make_dataset.py", "hopper-own-x-v2", *flags])
    with pytest.raises(SystemExit) as ended:
        program.main()
    assert ended.value.code == 2 and list(folder.iterdir()) == []
    assert capsys.readouterr().err.startswith(f"error: argument {flags[0]}: {flags[1]} is no")


def test_only_files_of_the_name_s_environment_are_mixed(folder, capsys):
    cheetah, walker, unknown, small = (
        own(folder / "cheetah.hdf5", "halfcheetah-random-v2"),
        own(folder / "walker.hdf5", "walker2d-medium-v2"),
        own(folder / "unknown.hdf5", None),
        own(folder / "small.hdf5", None, sizes=(11, 3)),
    )
    order = Order("walker2d-own-mix-v2", "mix", sources=(walker, cheetah))
    with pytest.raises(UserError, match="cheetah.hdf5 is of halfcheetah-random-v2, and walker2d"):
        make_dataset(order, None)
    with pytest.raises(UserError, match="small.hdf5 has states and actions of 11 and 3 numbers"):
        make_dataset(replace(order, sources=(walker, small)), None)
    capsys.readouterr()
    mixed = make_dataset(replace(order, sources=(walker, unknown)), None)
    assert "unknown.hdf5 does not say what environment" in capsys.readouterr().err
    assert own_file.attributes(mixed)["environment"] == "walker2d-random-v2"


@pytest.mark.parametrize(
    ("most", "more", "sentence", "rows"),
    [
        ({"rows": 30}, {"rows": 31}, "--rows 31 .*short.hdf5 has 30 rows", 130),
        ({"episodes": 3}, {"episodes": 4}, "--episodes 4 .*hdf5 has 3 episodes", 330),
    ],
)
def test_more_than_a_file_has_is_refused(folder, most, more, sentence, rows):
    long = own(folder / "long.hdf5", "walker2d-random-v2", rows=300)
    short = own(folder / "short.hdf5", "walker2d-random-v2")
    order = Order("walker2d-own-mix-v2", "mix", sources=(long, short))
    with pytest.raises(UserError, match=sentence):
        make_dataset(replace(order, **more), None)
    assert files_in(folder) == ["long.hdf5", "short.hdf5"]
    assert own_file.attributes(make_dataset(replace(order, **most), None))["rows"] == rows


def test_the_agent_of_another_robot_is_refused(folder, run, tmp_path_factory):
    other = tmp_path_factory.mktemp("other") / "run"
    shutil.copytree(run, other)
    config = other / "config.yaml"
    config.write_text(config.read_text().replace("name: hopper-random", "name: walker2d-medium"))
    with pytest.raises(
        UserError, match="acts in walker2d-medium-v2, and this dataset is of hopper"
    ):
        make_dataset(Order("hopper-own-calm-v2", str(other), episodes=1), None)
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
