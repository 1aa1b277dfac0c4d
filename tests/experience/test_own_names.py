"""Names of users' own data: the published environments and scores, another file."""

import pytest

from experience.own_names import published_relative
from experience.tasks import DATASETS, domain_of, get_task
from experience.wrapper import make_env
from harness.configuration.groups import EnvConfig
from harness.errors import UserError


@pytest.mark.parametrize(
    ("domain", "own", "published"),
    [
        ("d4rl_loco", "halfcheetah-own-random-v2", "halfcheetah-random-v2"),
        ("d4rl_loco", "walker2d-own-medium-noise03-v2", "walker2d-random-v2"),
        ("adroit", "pen-own-net-v1", "pen-human-v1"),
        ("antmaze", "antmaze-umaze-own-random-v2", "antmaze-umaze-v2"),
        ("antmaze", "antmaze-large-diverse-own-x-v2", "antmaze-large-diverse-v2"),
        ("neorl", "Hopper-v3-own-mix", "Hopper-v3-low"),
    ],
)
def test_environment_and_scores_are_the_published_ones(domain, own, published, monkeypatch):
    monkeypatch.setenv("D4RL_DATASET_DIR", "/data")
    assert domain_of(own) == domain
    ours, theirs = get_task(domain, own), get_task(domain, published)
    assert ours.environment == theirs.environment == published
    for key in ("horizon", "ref_min", "ref_max", "reward_shift", "state_dim", "action_dim"):
        assert getattr(ours, key) == getattr(theirs, key)
    assert (ours.source, ours.dataset_path) == ("hdf5", f"/data/{own}.hdf5")


def test_every_published_environment_has_own_names():
    for domain, names in DATASETS.items():
        for name in names:
            task, _, version = name.partition("-v2") if "-v2" in name else name.partition("-v1")
            beginning = name if domain == "neorl" else task
            own = f"{beginning}-own-x" + name[len(task) :] * (domain != "neorl")
            assert get_task(domain, own).environment == name


@pytest.mark.parametrize(
    "name",
    [
        "halfcheetah-own-random-v1",
        "halfcheetah-own-random",
        "halfcheetah-own--v2",
        "half-own-random-v2",
        "halfcheetah-random-v2",
        "Hopper-v3-own-mix-v3",
    ],
)
def test_names_of_no_environment(name):
    assert (
        published_relative(name, [n for ns in DATASETS.values() for n in ns if n != name]) is None
    )


def test_the_file_may_be_elsewhere_but_not_for_published_names():
    env = EnvConfig(dataset_path="mine.hdf5")
    assert get_task("d4rl_loco", "hopper-own-x-v2", env).dataset_path == "mine.hdf5"
    with pytest.raises(UserError, match="hopper-own-random-v2"):
        get_task("d4rl_loco", "hopper-random-v2", env)
    with pytest.raises(UserError, match="domain d4rl_loco, not adroit"):
        get_task("adroit", "hopper-own-x-v2")


@pytest.mark.parametrize(
    ("domain", "own", "size"),
    [("d4rl_loco", "hopper-own-x-v2", 11), ("neorl", "Hopper-v3-own-x", 12)],
)
def test_own_environments_can_be_made(domain, own, size):
    assert make_env(domain, own).observation_space.shape == (size,)
