"""Every range, choice and consistency rule of the configuration, and how mistakes are told."""

from dataclasses import fields, is_dataclass

import pytest
from hydra import compose, initialize_config_dir

from harness.checkout import CONFIG_ROOT
from harness.configuration.composition import as_config, load_config
from harness.configuration.schema import (
    WORLD_MODEL_KEYS,
    BanditConfig,
    ContConfig,
    MarkovConfig,
)
from harness.configuration.settings import Interval, interval_of
from harness.errors import UserError

# Config, overrides, and words that the sentence must contain: key, value and remedy.
MISTAKES = [
    ("pendulum/base", "dataset_name=..", ["dataset_name='..'", "letter or digit first"]),
    ("pendulum/base", "dataset_name=/etc/passwd", ["dataset_name='/etc/passwd'", "another name"]),
    ("pendulum/base", "dataset_name=a/../b", ["dataset_name='a/../b'", "another name"]),
    ("pendulum/base", f"dataset_name={'x' * 300}", ["dataset_name='xxx", "200 bytes"]),
    ("pendulum/base", "env.ref_min=-inf", ["env.ref_min=-inf", "finite"]),
    ("pendulum/base", "env.ref_max=nan", ["env.ref_max=nan", "finite"]),
    ("pendulum/base", "collect.ensemble_size=20", ["ensemble_size=20", "total_size=16", "lower"]),
    ("pendulum/base", "collect.parallel_size=55", ["parallel_size=55", "multiple", "=10"]),
    ("pendulum/base", "train.buffer_size=511", ["batch_size=512", "buffer_size=511", "raise"]),
    ("pendulum/base", "eval.times=4001", ["eval.times=4001", "grad_steps=4000"]),
    ("pendulum/base", "collect.unc_quantile=0", ["unc_quantile=0", "(0, 1]", "negative"]),
    ("pendulum/base", "collect.unc_quantile=1.01", ["unc_quantile=1.01", "1]"]),
    ("pendulum/base", "collect.max_rollout_len=0", ["max_rollout_len=0", "-1"]),
    ("pendulum/base", "collect.unc_type=std", ["unc_type=std", "epi_mean, ale_max, total_var"]),
    ("pendulum/base", "train.real_weight=1.5", ["real_weight=1.5", "[0, 1]"]),
    ("pendulum/base", "train.gamma=nan", ["train.gamma=nan", "[0, 1]"]),
    ("pendulum/base", "train.utd=0", ["train.utd=0", "(0, inf)"]),
    ("pendulum/base", "train.replay=disk", ["train.replay=disk", "auto, device, host"]),
    ("pendulum/base", "train.memory_scan=fast", ["memory_scan=fast", "chunked"]),
    ("pendulum/base", "model.sampled_critics=5", ["sampled_critics=5", "num_critics=4"]),
    ("pendulum/base", "model.memory.r_min=0.95", ["r_min=0.95", "r_max=0.9"]),
    ("pendulum/base", "model.memory.kind=lstm", ["kind=lstm", "lru, gru"]),
    (
        "pendulum/base",
        "model.memory.kind=gru model.memory.r_max=0.5",
        ["r_max=0.5", "kind=gru", "leave it out"],
    ),
    ("offline_bandit", "model.memory.kind=gru train.memory_scan=chunked", ["memory_scan=chunked"]),
    ("pendulum/base", "model.target_alpha_ratio=0", ["target_alpha_ratio=0", "(0, inf)"]),
    ("pendulum/base", "seed=-1", ["seed=-1", "[0,"]),
    ("pendulum/base", "engine=pybullet", ["engine=pybullet", "mujoco, mujoco_py"]),
    ("pendulum/base", "wandb.mode=maybe", ["wandb.mode=maybe", "offline"]),
    ("pendulum/base", "dataset_name=", ["dataset_name"]),
    ("pendulum/base", "domain=cartpole", ["domain=cartpole", "d4rl_loco", "custom"]),
    ("pendulum/base", "save_agent=true", ["save_agent_root=<folder>"]),
    ("pendulum/base", "load_agent_path=no/such.eqx", ["no/such.eqx", "does not exist"]),
    ("pendulum/base", "env.ref_max=-1220", ["ref_min", "ref_max", "scores 0 and 1"]),
    ("pendulum/base", "env.horizon=null", ["env.horizon"]),
    ("custom/base", "", ["dataset_name must be given", "dataset_name=<value>"]),
    ("custom/base", "dataset_name=x", ["env.id", "configs/custom"]),
    (
        "custom/base",
        "dataset_name=x env.id=Pendulum-v1 env.horizon=9 env.ref_min=0 env.ref_max=1",
        ["env.dataset_path"],
    ),
    ("offline_bandit", "collect.eps_end=1.0 collect.eps_start=0.5", ["eps_end=1.0", "eps_start"]),
    ("offline_bandit", "collect.ensemble_size=129", ["129", "128"]),
    ("pendulum/base", "train.grad_step=5", ["'train.grad_step'", "'train.grad_steps'"]),
    ("pendulum/base", "+train.grad_step=5", ["'train.grad_step'", "'train.grad_steps'"]),
    ("pendulum/base", "+eval_datset=x", ["'eval_datset'", "'eval_dataset'"]),
    ("pendulum/base", "trian.utd=5", ["'trian.utd'", "'train.utd'"]),
    ("pendulum/base", "critic_enc_lr=5", ["'critic_enc_lr'", "'train.critic_enc_lr'"]),
    ("pendulum/base_markov", "train.critic_enc_lr=5", ["unknown", "'train.critic_lr'"]),
    ("pendulum/base", "train.grad_steps=many", ["train.grad_steps", "'many'", "Integer"]),
    ("pendulum/base", "train.grad_steps=2e6", ["train.grad_steps", "2000000.0", "Integer"]),
    ("pendulum/base", "seed=1,2", ["seed=1,2", "-m"]),
    ("pendulum/base", "a=[1", ["'a=[1'"]),
    ("d4rl_loco/base", "task=hoper_random", ["'hoper_random'", "'hopper_random'"]),
    ("d4rl_loco/base_markov", "task=hopper_random", ["task=", "dataset_name="]),
    # what would have no effect
    (
        "d4rl_loco/base",
        "env.horizon=50",
        ["env.horizon=50 makes no difference in domain d4rl_loco"],
    ),
    ("d4rl_loco/base", "env.termination=never", ["env.termination=never", "leave it out"]),
    ("adroit/base", "env.ref_min=0", ["env.ref_min=0.0", "domain adroit"]),
    ("antmaze/base_markov", "env.ref_max=2", ["env.ref_max=2.0", "configs/custom"]),
    ("neorl/base", "+env.kwargs.g=9", ["env.kwargs={'g': 9}", "domain neorl"]),
    ("loco_small/base", "env.id=Pendulum-v1", ["env.id=Pendulum-v1", "domain d4rl_loco"]),
    ("neorl/base", "env.allow_termination_mismatch=true", ["mismatch=True", "leave it out"]),
    ("adroit/base", "env.clip_actions=true", ["published dataset pen-human-v1", "leave it out"]),
    ("pendulum/base", "engine=mujoco_py", ["engine=mujoco_py", "domain pendulum", "leave it out"]),
    ("offline_bandit", "engine=mujoco_py", ["engine=mujoco_py", "domain bandit"]),
    (
        "pendulum/base_markov",
        "train.memory_scan=chunked",
        ["memory_scan=chunked", "without memory"],
    ),
    (
        "pendulum/base",
        "train.alpha_lr=1e-3 model.target_alpha_ratio=null",
        ["train.alpha_lr=0.001", "target_alpha_ratio=null", "init_alpha", "leave it out"],
    ),
    ("d4rl_loco/base", "task=hopper_medium train.alpha_lr=1e-3", ["target_alpha_ratio=null"]),
    ("pendulum/base", "save_agent_root=kept", ["save_agent_root=kept", "add that, or leave"]),
    # another domain's sizes, another robot's tuned values
    (
        "d4rl_loco/base",
        "domain=antmaze dataset_name=antmaze-umaze-v2",
        [
            "domain=antmaze",
            "those of domain d4rl_loco",
            "--config-path=",
            "configs/antmaze instead",
        ],
    ),
    (
        "pendulum/base",
        "domain=d4rl_loco dataset_name=hopper-medium-v2",
        ["domain=d4rl_loco", "those of domain pendulum", "configs/d4rl_loco instead"],
    ),
    ("custom/base", "domain=pendulum dataset_name=x", ["domain=pendulum", "configs/pendulum"]),
    ("offline_bandit", "domain=other", ["domain=other", "leave it out"]),
    (
        "d4rl_loco/base",
        "task=hopper_medium dataset_name=walker2d-medium-v2",
        ["dataset_name=walker2d-medium-v2", "task=hopper_medium", "tuned for hopper-medium-v2"],
    ),
    (
        "neorl/base_no_ln",
        "dataset_name=Hopper-v3-low task=Walker2d_v3_low",
        ["tuned for Walker2d-v3-low", "choose a task of Hopper"],
    ),
    ("pendulum/bas", "", ["there is no bas.yaml in", "configs/pendulum: did you mean 'base'?"]),
]


@pytest.mark.parametrize(
    ("name", "overrides", "words"), MISTAKES, ids=lambda value: str(value)[:40]
)
def test_a_mistake_is_told_in_one_sentence(name, overrides, words):
    with pytest.raises(UserError) as caught:
        load_config(name, overrides.split())
    sentence = str(caught.value)
    assert [word for word in words if word not in sentence] == [], sentence
    assert "\n" not in sentence


@pytest.mark.parametrize(
    "overrides",
    [
        "collect.unc_quantile=-1.0",
        "collect.unc_quantile=0.9",
        "train.real_weight=0",
        "train.real_weight=1",
        "train.buffer_size=512",
        "collect.ensemble_size=16 collect.parallel_size=16",
        "ensemble.total_epochs=null",
        "model.target_alpha_ratio=null",
        "train.grad_steps=2_000_000",
        "eval_dataset=other",
        "+eval_dataset=other",
        "save_agent=true save_agent_root=agents",
    ],
)
def test_values_at_the_edge_are_accepted(overrides):
    load_config("pendulum/base", overrides.split())


@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("d4rl_loco/base", "dataset_name=hopper-own-random-v2 env.clip_actions=true"),
        ("d4rl_loco/base", "dataset_name=hopper-own-random-v2 env.dataset_path=mine.hdf5"),
        ("d4rl_loco/base", "engine=mujoco_py"),
        ("d4rl_loco/base", "domain=d4rl_loco dataset_name=walker2d-medium-v2"),
        ("d4rl_loco/base", "task=hopper_random dataset_name=hopper-own-random-v2"),
        ("d4rl_loco/base", "~task dataset_name=walker2d-medium-v2"),
        # the preset's rate is typed by nobody
        ("pendulum/base", "model.target_alpha_ratio=null"),
    ],
)
def test_what_has_an_effect_and_fits_is_accepted(name, overrides):
    load_config(name, overrides.split())


def test_what_a_program_never_reads_is_refused():
    with initialize_config_dir(str(CONFIG_ROOT / "pendulum"), version_base="1.3"):
        overrides = ["+eval_dataset=pump-v1"]
        composed = compose("base", overrides=overrides)
        with pytest.raises(UserError, match="eval_dataset=pump-v1 makes no difference to this pro"):
            as_config(composed, overrides, never_reads=("eval_dataset",))
        # typed or not
        with pytest.raises(UserError, match="eval_dataset=pump-v1 makes no difference"):
            as_config(composed, [], never_reads=("eval_dataset",))


def test_a_world_model_is_not_refused_for_its_agent():
    overrides = ["model.target_alpha_ratio=null", "train.alpha_lr=1e-3"]
    with initialize_config_dir(str(CONFIG_ROOT / "pendulum"), version_base="1.3"):
        composed = compose("base", overrides=overrides)
        as_config(composed, overrides, learns_from=WORLD_MODEL_KEYS)


def numeric_fields(schema, prefix=""):
    for a_field in fields(schema):
        if is_dataclass(a_field.type):
            yield from numeric_fields(a_field.type, f"{prefix}{a_field.name}.")
        elif any(kind in str(a_field.type) for kind in ("int", "float")) and "dict" not in str(
            a_field.type
        ):
            yield prefix + a_field.name, a_field


@pytest.mark.parametrize("schema", [ContConfig, MarkovConfig, BanditConfig])
def test_every_number_has_a_range(schema):
    found = list(numeric_fields(schema))
    assert len(found) > 20
    # Returns may be anything; only their order is checked.
    free = {"env.ref_min", "env.ref_max"}
    assert {key for key, a_field in found if interval_of(a_field) is None} <= free


def test_intervals():
    half_open = Interval("(0, 1]")
    assert [half_open.contains(x) for x in (0, 0.5, 1, 1.5, float("nan"))] == [
        False,
        True,
        True,
        False,
        False,
    ]
    assert not Interval("[0, inf)").contains(float("inf"))
