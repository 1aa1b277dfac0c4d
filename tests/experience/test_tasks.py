"""Task tables against the specification and against d4rl's own constants."""

import dataclasses
import importlib.util
from pathlib import Path

import pytest

from experience.data.sources.d4rl_files import D4RL_URLS, d4rl_path
from experience.tasks import DATASETS, get_task
from harness.configuration.groups import EnvConfig
from harness.errors import UserError

PENDULUM = EnvConfig(id="Pendulum-v1", horizon=200, ref_min=-1220.0, ref_max=-150.0)


@pytest.fixture(scope="module")
def d4rl_infos():
    # importing the package itself would load every simulator
    folder = Path(importlib.util.find_spec("d4rl").submodule_search_locations[0])
    spec = importlib.util.spec_from_file_location("d4rl_infos", folder / "infos.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_all_published_datasets_are_there():
    assert {domain: len(names) for domain, names in DATASETS.items()} == {
        "d4rl_loco": 12,
        "adroit": 6,
        "antmaze": 6,
        "neorl": 9,
    }


def test_reference_returns_are_those_of_d4rl(d4rl_infos):
    for domain in ("d4rl_loco", "adroit", "antmaze"):
        for name in DATASETS[domain]:
            task = get_task(domain, name)
            assert task.ref_min == d4rl_infos.REF_MIN_SCORE[name]
            assert task.ref_max == d4rl_infos.REF_MAX_SCORE[name]


def test_urls_are_those_of_d4rl(d4rl_infos):
    assert set(D4RL_URLS) == {n for d in ("d4rl_loco", "adroit", "antmaze") for n in DATASETS[d]}
    assert {name: d4rl_infos.DATASET_URLS[name] for name in D4RL_URLS} == D4RL_URLS


def test_files_are_looked_for_where_d4rl_keeps_them(monkeypatch, tmp_path):
    monkeypatch.setenv("D4RL_DATASET_DIR", str(tmp_path))
    assert d4rl_path("hopper-medium-replay-v2") == tmp_path / "hopper_medium_replay-v2.hdf5"
    monkeypatch.delenv("D4RL_DATASET_DIR")
    assert d4rl_path("pen-human-v1") == Path.home() / ".d4rl/datasets/pen-human-v1.hdf5"


@pytest.mark.parametrize(
    ("domain", "name", "horizon", "dims"),
    [
        ("d4rl_loco", "hopper-random-v2", 1000, (11, 3)),
        ("d4rl_loco", "halfcheetah-medium-expert-v2", 1000, (17, 6)),
        ("d4rl_loco", "walker2d-medium-replay-v2", 1000, (17, 6)),
        ("neorl", "Hopper-v3-low", 1000, (12, 3)),
        ("neorl", "HalfCheetah-v3-high", 1000, (18, 6)),
        ("neorl", "Walker2d-v3-medium", 1000, (18, 6)),
        ("adroit", "pen-cloned-v1", 100, (45, 24)),
        ("adroit", "door-human-v1", 200, (39, 28)),
        ("adroit", "hammer-human-v1", 200, (46, 26)),
        ("antmaze", "antmaze-umaze-v2", 700, (29, 8)),
        ("antmaze", "antmaze-umaze-diverse-v2", 700, (29, 8)),
        ("antmaze", "antmaze-large-play-v2", 1000, (29, 8)),
    ],
)
def test_horizons_and_dimensions(domain, name, horizon, dims):
    task = get_task(domain, name)
    assert (task.horizon, task.state_dim, task.action_dim) == (horizon, *dims)


def test_only_antmaze_shifts_rewards_and_stops_at_success():
    for domain, names in DATASETS.items():
        for name in names:
            task = get_task(domain, name)
            goal_reaching = domain == "antmaze"
            assert task.reward_shift == (-1 if goal_reaching else 0)
            assert task.stop_at_first_terminal is goal_reaching
            assert task.ends_by_timeout_only is goal_reaching


def test_a_misspelt_name_is_answered_with_near_ones():
    with pytest.raises(UserError, match="hopper-medium-v2"):
        get_task("d4rl_loco", "hoper-medium-v2")
    with pytest.raises(UserError, match="is in domain adroit, not antmaze"):
        get_task("antmaze", "pen-human-v1")
    with pytest.raises(UserError, match="domain=d4rl is not known: give one of d4rl_loco"):
        get_task("d4rl", "pen-human-v1")


def test_a_custom_task_comes_from_its_env_section():
    env = dataclasses.replace(PENDULUM, dataset_path="mine.hdf5", termination="rules.fallen")
    task = get_task("custom", "anything", env)
    assert (task.source, task.dataset_path) == ("hdf5", "mine.hdf5")
    assert (task.horizon, task.termination) == (200, "rules.fallen")
    assert (task.ref_min, task.ref_max) == (-1220, -150)
    minari = dataclasses.replace(env, dataset_path="minari:mine/walk-v0")
    assert get_task("custom", "anything", minari).source == "minari"


def test_the_pendulum_has_a_place_for_its_data():
    task = get_task("pendulum", "pendulum-random-v1", PENDULUM)
    assert task.dataset_path == "offline_world/data/pendulum-random-v1.hdf5"
    assert task.termination == "never"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dataset_path": None}, "domain custom needs env.dataset_path: give"),
        ({"horizon": None, "ref_max": None}, "domain custom needs env.horizon, env.ref_max: give"),
        ({"horizon": 1}, r"env.horizon=1 is out of range: give a value in \[2, inf\)"),
        ({"ref_max": float("inf")}, "env.ref_max=inf is no finite number"),
        ({"ref_min": -100.0}, "env.ref_min=-100.0 must be below env.ref_max=-150.0"),
    ],
)
def test_an_incomplete_env_section_is_an_error(change, message):
    complete = dataclasses.replace(PENDULUM, dataset_path="mine.hdf5")
    with pytest.raises(UserError, match=message):
        get_task("custom", "anything", dataclasses.replace(complete, **change))
