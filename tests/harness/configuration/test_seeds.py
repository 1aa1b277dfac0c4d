"""`+seeds=[...]`: what each seed's run is composed of, and what is refused."""

import pytest
from hydra import compose, initialize_config_dir

from harness.checkout import CONFIG_ROOT
from harness.configuration.composition import as_config
from harness.configuration.seeds import by_seed
from harness.errors import UserError
from harness.run.naming import run_name


def configs(*overrides: str):
    with initialize_config_dir(str(CONFIG_ROOT / "pendulum"), version_base="1.3"):
        composed = compose("base", overrides=list(overrides))
    return [as_config(one, overrides) for one in by_seed(composed, overrides)]


def test_each_seed_is_composed_as_it_would_be_alone():
    others = ("train.utd=0.1", "wandb.group=seed_${seed}")
    together = configs("+seeds=[3,1]", *others)
    assert together == [*configs("seed=3", *others), *configs("seed=1", *others)]
    assert together[0].wandb.group == "seed_3"


def test_the_list_names_no_run():
    assert run_name(["+seeds=[0,1]", "train.utd=0.1"], "base") == "train.utd=0.1"


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["+seeds=3"], r"\+seeds=3 is no list of different seeds"),
        (["+seeds=[]"], "is no list of different seeds"),
        (["+seeds=[1,1]"], "is no list of different seeds"),
        (["+seeds=[0.5]"], "is no list of different seeds"),
        (["+seeds=[a]"], "is no list of different seeds"),
        (["+seeds=[0,-1]"], "seed=-1 is out of range"),
        (["+seeds=[0,1]", "seed=0"], r"seed= is of a single run, \+seeds=\[0, 1\] of several"),
        (["+seeds=[0,1]", "run_dir=here"], "run_dir= is of a single run.* give run_root=<folder>"),
    ],
)
def test_what_is_no_list_of_seeds_is_refused(overrides, words):
    with pytest.raises(UserError, match=words):
        configs(*overrides)
