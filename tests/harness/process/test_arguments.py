"""What people type, and what Hydra makes of it."""

import pytest
from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser

from harness.configuration.composition import load_config
from harness.errors import UserError
from harness.process.arguments import as_overrides


def meant(argument: str) -> object:
    """The value that Hydra reads in a single job."""
    (override,) = OverridesParser.create().parse_overrides(as_overrides([argument]))
    return override.value()


@pytest.mark.parametrize(
    "path",
    [
        "~/my runs (old)/größe=1,b=2",
        "a,b",
        "it's",
        "back\\slash\\",
        '"quoted" inside',
        "[list]",
        "{dict}",
        "key: value",
        "# no comment",
        "~",
        "1e5",
        "true",
    ],
)
def test_a_path_is_taken_as_it_is(path):
    if path[0] == '"':
        path = "x " + path
    for key in ("run_dir", "load_agent_path", "env.dataset_path", "+ensemble.save_dir"):
        assert meant(f"{key}={path}") == path
    config = load_config("pendulum/base", as_overrides([f"run_dir={path}"]))
    assert config.run_dir == path


@pytest.mark.parametrize("name", ["1e5", "größe", "a b", "true", "x(1)", "hopper-medium-v2"])
def test_a_name_is_taken_as_it_is(name):
    for key in ("dataset_name", "wandb.group", "env.id"):
        assert meant(f"{key}={name}") == name


def test_what_hydra_means_by_itself_stays():
    for argument in (
        *("run_dir='a=b'", 'run_dir="a b"', "run_dir=null", "run_dir=", "seed=1,2", "train.utd=1"),
        *("run_dir=${run_root}/x", "dataset_name=a,b", "~task", "task=null", "--config-name=base"),
    ):
        assert as_overrides([argument]) == [argument]


def test_commas_separate_the_values_of_a_sweep():
    def swept(argument):
        return as_overrides(["-m", argument])[1]

    assert swept("ensemble.save_dir=a,b c") == "ensemble.save_dir=a,b c"
    assert swept("ensemble.save_dir=a,b(1)") == "ensemble.save_dir='a','b(1)'"
    assert swept("env.dataset_path=choice(a,b)") == "env.dataset_path=choice(a,b)"
    # the names of run directories hold both
    assert swept("load_agent_path=runs/a=1,b=2/x") == "load_agent_path='runs/a=1,b=2/x'"


def test_options_and_overrides_may_be_typed_in_any_order():
    typed = [
        *("seed=1", "--config-path", "configs/a=b", "train.utd=1", "-cn", "base", "-m"),
        *("~task", "--info", "+x=2", "--cfg=job", "--info", "defaults", "run_dir=a b"),
    ]
    sorted_ = as_overrides(typed)
    assert sorted_ == [
        *("--config-path", "configs/a=b", "-cn", "base", "-m", "--info", "--cfg=job"),
        *("--info", "defaults", "seed=1", "train.utd=1", "~task", "+x=2", "run_dir=a b"),
    ]
    arguments = get_args_parser().parse_args(sorted_)
    assert (arguments.config_path, arguments.config_name, arguments.cfg) == (
        *("configs/a=b", "base", "job"),
    )
    assert len(arguments.overrides) == 5


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["-x", "seed=0"], "-x is no option: see --help"),
        (["seed=0", "--config-name"], "--config-name needs a value, as in --config-name <value>"),
        (["-cn"], "-cn needs a value"),
    ],
)
def test_mistaken_options_are_sentences(arguments, sentence):
    with pytest.raises(UserError, match=sentence):
        as_overrides(arguments)
    assert as_overrides(["-cnbase", "-h"]) == ["-cnbase", "-h"]


def test_options(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert as_overrides(["--seed", "3", "--seed=4"], ["seed"]) == ["seed=3", "seed=4"]
    assert as_overrides(["--config-path=~/mine"]) == ["--config-path=/home/me/mine"]
    assert as_overrides(["--multirun", "-m", "--cfg", "job"]) == [
        *("--multirun", "-m", "--cfg", "job")
    ]
    for argument in ("--train.utd=0.1", "--dataset_name", "--seed=1"):
        with pytest.raises(UserError, match=r"is no option.*\$\{args_no_hyphens\}"):
            as_overrides([argument])


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("env.termination=a b", None),
        ("+env.kwargs.name=a (b)", "'+env.kwargs.name=\"a (b)\"'"),
        ("train.lr=1", "'train.critic_head_lr' or 'train.actor_head_lr'"),
        ("train.enc_lr=1", "'train.critic_enc_lr' or 'train.actor_enc_lr'"),
        ("train.critc_enc_lr=1", "'train.critic_enc_lr'"),
        ("collect.penalty=1", "'collect.penalty_coef'"),
        ("model.r_max=0.5", "'model.memory.r_max'"),
        ("ensemble.epochs=3", "'ensemble.total_epochs'"),
        ("checkpoint.minutes=3", "'checkpoint.every_minutes'"),
    ],
)
def test_a_mistake_names_what_was_meant(override, words):
    if words is None:
        load_config("pendulum/base", as_overrides([override]))
        return
    with pytest.raises(UserError) as caught:
        load_config("pendulum/base", as_overrides([override]))
    assert words in str(caught.value), caught.value
