"""Every composed configuration against the published values."""

import shlex
from pathlib import PurePosixPath

import pytest

from experience.tasks import get_task
from harness.checkout import CONFIG_ROOT
from harness.configuration.composition import load_config
from harness.configuration.schema import BanditConfig, ContConfig, MarkovConfig

# Every published key with its value for D4RL locomotion; the other domains differ in DOMAINS.
SHARED = """
seed=0 debug=false save_agent=false save_agent_root=null load_agent_path=null
ensemble.total_size=128 ensemble.hidden_size=200 ensemble.has_ln=true
ensemble.max_epochs_since_update=5 ensemble.improve_thres=0.01 ensemble.batch_size=256
ensemble.lr=1e-3 ensemble.weight_decay=5e-5
eval.times=100 eval.real_episodes=20
collect.ensemble_size=100 collect.parallel_size=100 collect.penalty_coef=0.0
collect.unc_type=epi_mean collect.unc_quantile=1.0 collect.max_rollout_len=-1
train.grad_steps=2000000 train.batch_size=2048 train.buffer_size=40000000 train.utd=0.05
train.critic_lr_ratio=1.0 train.actor_lr_ratio=0.0 train.alpha_lr=1e-4 train.weight_decay=0.0
train.gamma=0.99 train.target_tau=0.005 train.adam_eps=1e-8 train.real_weight=0.05
train.gradient_scale=1000 train.backup_entropy=true
model.num_critics=10 model.sampled_critics=2 model.target_alpha_ratio=1.0 model.init_alpha=0.2
"""
RECURRENT = """
train.critic_head_lr=1e-4 train.actor_head_lr=1e-4 train.critic_enc_lr=1e-5 train.actor_enc_lr=1e-5
model.memory.d_model=256 model.memory.d_hidden=128 model.memory.n_layers=2 model.memory.r_min=0.0
model.memory.r_max=0.9 model.memory.kind=lru model.head_d_hidden=256 model.head_n_layers=2
"""
MARKOV = "train.critic_lr=1e-4 train.actor_lr=1e-4 model.d_hidden=256 model.n_layers=2"

DOMAINS = {
    "d4rl_loco": "dataset_name=hopper-random-v2",
    "neorl": "dataset_name=HalfCheetah-v3-low",
    "adroit": """dataset_name=pen-human-v1 ensemble.hidden_size=400 ensemble.lr=3e-4
        train.batch_size=1024 train.real_weight=0.5 train.gradient_scale=10000
        model.head_n_layers=3 model.n_layers=3 model.init_alpha=0.1""",
    "antmaze": """dataset_name=antmaze-umaze-v2 eval.real_episodes=100 train.grad_steps=3000000
        train.buffer_size=60000000 train.real_weight=0.95 train.gradient_scale=1.0
        model.target_alpha_ratio=10.0 model.init_alpha=1e-5""",
    "pendulum": """dataset_name=pendulum-random-v1 ensemble.total_size=16 ensemble.hidden_size=64
        eval.times=20 collect.ensemble_size=10 collect.parallel_size=50 train.grad_steps=4000
        train.batch_size=512 train.buffer_size=200000 train.real_weight=0.5 train.alpha_lr=1e-3
        train.critic_enc_lr=1e-4 train.actor_enc_lr=1e-4 train.critic_head_lr=1e-3
        train.actor_head_lr=3e-4 train.critic_lr=1e-3 train.actor_lr=3e-4
        model.memory.d_model=64 model.memory.d_hidden=32 model.head_d_hidden=64 model.d_hidden=64
        model.num_critics=4""",
}

# Task file: dataset, encoder rate, real_weight; * means target_alpha_ratio null, - the base value.
TASKS = {
    "d4rl_loco": """
        halfcheetah_random         halfcheetah-random-v2         3e-5 0.8
        halfcheetah_medium         halfcheetah-medium-v2         3e-5 0.8
        halfcheetah_medium_replay  halfcheetah-medium-replay-v2  1e-5 0.05
        halfcheetah_medium_expert  halfcheetah-medium-expert-v2  3e-5 0.8
        hopper_random              hopper-random-v2              1e-5 0.5  *
        hopper_medium              hopper-medium-v2              1e-6 0.8  *
        hopper_medium_replay       hopper-medium-replay-v2       3e-7 0.5  *
        hopper_medium_expert       hopper-medium-expert-v2       3e-6 0.5  *
        walker2d_random            walker2d-random-v2            3e-5 0.5
        walker2d_medium            walker2d-medium-v2            3e-6 0.5
        walker2d_medium_replay     walker2d-medium-replay-v2     1e-6 0.5
        walker2d_medium_expert     walker2d-medium-expert-v2     1e-6 0.8""",
    "neorl": """
        HalfCheetah_v3_low     HalfCheetah-v3-low     1e-5 0.8
        HalfCheetah_v3_medium  HalfCheetah-v3-medium  3e-5 0.5
        HalfCheetah_v3_high    HalfCheetah-v3-high    3e-5 0.5
        Hopper_v3_low          Hopper-v3-low          3e-6 0.8 *
        Hopper_v3_medium       Hopper-v3-medium       3e-6 0.5 *
        Hopper_v3_high         Hopper-v3-high         3e-6 0.5 *
        Walker2d_v3_low        Walker2d-v3-low        3e-7 0.5
        Walker2d_v3_medium     Walker2d-v3-medium     3e-7 0.8
        Walker2d_v3_high       Walker2d-v3-high       3e-7 0.8""",
    "adroit": """
        pen_human      pen-human-v1      3e-5 0.5
        pen_cloned     pen-cloned-v1     1e-5 0.8
        hammer_cloned  hammer-cloned-v1  1e-5 0.5
        hammer_human   hammer-human-v1   -    -
        door_human     door-human-v1     -    -
        door_cloned    door-cloned-v1    -    -""",
    "antmaze": """
        umaze           antmaze-umaze-v2           3e-6 0.95
        umaze_diverse   antmaze-umaze-diverse-v2   3e-6 0.95
        medium_play     antmaze-medium-play-v2     1e-5 0.95
        medium_diverse  antmaze-medium-diverse-v2  1e-6 0.95
        large_play      antmaze-large-play-v2      -    -
        large_diverse   antmaze-large-diverse-v2   -    -""",
}

EPOCH_CAPS = {
    **{
        f"{robot}-{kind}-v2": cap
        for robot in ("halfcheetah", "hopper", "walker2d")
        for kind, cap in (("random", 1200), ("medium", 1200), ("medium-expert", 600))
    },
    **{
        f"{robot}-v3-{kind}": 1200
        for robot in ("HalfCheetah", "Hopper", "Walker2d")
        for kind in ("low", "medium", "high")
    },
    "pen-cloned-v1": 2400,
    "hammer-cloned-v1": 1200,
    **{
        f"antmaze-{maze}-v2": 1200
        for maze in (
            *("umaze", "umaze-diverse"),
            *("medium-play", "medium-diverse"),
            *("large-play", "large-diverse"),
        )
    },
}

# The commands of the published README, letter for letter.
PUBLISHED_COMMANDS = """
python offline_world/cont_ensemble.py --config-path=../configs/d4rl_loco --config-name=base dataset_name=hopper-random-v2 ensemble.total_epochs=1200 seed=0
python offline_world/cont_ensemble.py --config-path=../configs/d4rl_loco --config-name=base dataset_name=halfcheetah-medium-replay-v2 seed=0
python offline_world/cont_ensemble.py --config-path=../configs/d4rl_loco --config-name=base dataset_name=walker2d-medium-v2 ensemble.total_epochs=1200 seed=0
python offline_world/cont_ensemble.py --config-path=../configs/d4rl_loco --config-name=base dataset_name=halfcheetah-medium-expert-v2 ensemble.total_epochs=600 seed=0
python offline_world/cont_ensemble.py --config-path=../configs/neorl --config-name=base dataset_name=Hopper-v3-low ensemble.total_epochs=1200 seed=0
python offline_world/cont_ensemble.py --config-path=../configs/adroit --config-name=base dataset_name=pen-human-v1 seed=0
python offline_world/cont_ensemble.py --config-path=../configs/adroit --config-name=base dataset_name=pen-cloned-v1 ensemble.total_epochs=2400 seed=0
python offline_world/cont_ensemble.py --config-path=../configs/adroit --config-name=base dataset_name=hammer-cloned-v1 ensemble.total_epochs=1200 seed=0
python offline_world/cont_ensemble.py --config-path=../configs/antmaze --config-name=base dataset_name=antmaze-umaze-v2 ensemble.total_epochs=1200 seed=0
python offline_cont.py --config-path=configs/d4rl_loco --config-name=base dataset_name=halfcheetah-medium-expert-v2 seed=0
python offline_cont.py --config-path=configs/d4rl_loco --config-name=base task=halfcheetah_medium_expert seed=0 # use the per-task tuned hparams
python offline_cont.py --config-path=configs/neorl --config-name=base dataset_name=Hopper-v3-low seed=0
python offline_cont.py --config-path=configs/neorl --config-name=base task=Hopper_v3_low seed=0
python offline_cont.py --config-path=configs/adroit --config-name=base dataset_name=pen-cloned-v1 seed=0
python offline_cont.py --config-path=configs/adroit --config-name=base task=pen_cloned seed=0
python offline_cont.py --config-path=configs/antmaze --config-name=base dataset_name=antmaze-umaze-v2 seed=0
python offline_cont.py --config-path=configs/antmaze --config-name=base task=umaze seed=0
python offline_markov.py --config-path=configs/d4rl_loco --config-name=base_markov dataset_name=halfcheetah-medium-expert-v2 seed=0
python offline_markov.py --config-path=configs/neorl --config-name=base_markov dataset_name=Hopper-v3-low seed=0
python offline_markov.py --config-path=configs/adroit --config-name=base_markov dataset_name=pen-cloned-v1 seed=0
python offline_markov.py --config-path=configs/antmaze --config-name=base_markov dataset_name=antmaze-umaze-v2 seed=0
python eval_error.py --config-path=configs/d4rl_loco --config-name=base dataset_name=halfcheetah-random-v2 +eval_dataset=medium-replay-v2 collect.unc_quantile=-1.0
python eval_error.py --config-path=configs/d4rl_loco --config-name=base_no_ln dataset_name=halfcheetah-random-v2 +eval_dataset=medium-replay-v2 collect.unc_quantile=-1.0
"""  # noqa: E501


def table(text):
    """`key=value ...` as a dict of Python values."""
    words = {"true": True, "false": False, "null": None}

    def value(word):
        if word in words:
            return words[word]
        try:
            return float(word)
        except ValueError:
            return word

    return {key: value(word) for key, word in (pair.split("=") for pair in text.split())}


def at(config, key):
    for part in key.split("."):
        config = getattr(config, part)
    return config


def expected(domain, kind):
    """The published table of a domain, for the "recurrent" or the "markov" agent."""
    own = table(RECURRENT if kind == "recurrent" else MARKOV)
    values = table(SHARED) | own
    changes = table(DOMAINS[domain])
    other = table(MARKOV if kind == "recurrent" else RECURRENT)
    return values | {key: value for key, value in changes.items() if key not in other.keys() - own}


def differences(config, values):
    return {key: (at(config, key), v) for key, v in values.items() if at(config, key) != v}


@pytest.mark.parametrize("domain", DOMAINS)
def test_base_configs_hold_the_published_values(domain):
    recurrent = load_config(f"{domain}/base")
    assert type(recurrent) is ContConfig
    assert differences(recurrent, expected(domain, "recurrent")) == {}
    assert recurrent.domain == domain
    assert recurrent.ensemble.save_dir == f"offline_world/ckpt/{domain}"
    assert recurrent.ensemble.plot_dir == f"plt/{domain}"
    assert recurrent.ensemble.domain == f"ensemble_{domain}"

    markov = load_config(f"{domain}/base_markov")
    assert type(markov) is MarkovConfig
    assert differences(markov, expected(domain, "markov")) == {}
    assert not hasattr(markov.model, "memory")

    no_ln = load_config(f"{domain}/base_no_ln")
    changed = {
        "ensemble.has_ln": False,
        "ensemble.save_dir": f"offline_world/ckpt/{domain}_no_ln",
        "ensemble.domain": f"ensemble_{domain}_no_ln",
    }
    assert differences(no_ln, expected(domain, "recurrent") | changed) == {}


@pytest.mark.parametrize("domain", TASKS)
def test_task_files_hold_the_tuned_values(domain):
    lines = [line.split() for line in TASKS[domain].strip().splitlines()]
    files = {path.stem for path in (CONFIG_ROOT / domain / "task").glob("*.yaml")}
    assert files == {name for name, *_ in lines}
    for name, dataset, rate, weight, *fixed in lines:
        tuned = {"dataset_name": dataset}
        if rate != "-":
            tuned |= table(f"train.critic_enc_lr={rate} train.actor_enc_lr={rate}")
            tuned |= table(f"train.real_weight={weight}")
        if fixed:
            tuned["model.target_alpha_ratio"] = None
        values = expected(domain, "recurrent") | tuned
        assert differences(load_config(f"{domain}/base", [f"task={name}"]), values) == {}, name
        no_ln = load_config(f"{domain}/base_no_ln", [f"task={name}"])
        assert differences(no_ln, values | {"ensemble.has_ln": False}) == {}, name


@pytest.mark.parametrize("domain", TASKS)
def test_epoch_caps_follow_the_dataset(domain):
    for line in TASKS[domain].strip().splitlines():
        task, dataset, *_ = line.split()
        by_task = load_config(f"{domain}/base", [f"task={task}"])
        alone = load_config(f"{domain}/base", [f"dataset_name={dataset}"])
        wanted = EPOCH_CAPS.get(dataset)
        assert by_task.ensemble.total_epochs == alone.ensemble.total_epochs == wanted, dataset


@pytest.mark.parametrize("domain", TASKS)
def test_every_configured_dataset_is_known(domain):
    for line in TASKS[domain].strip().splitlines():
        config = load_config(f"{domain}/base", [f"task={line.split()[0]}"])
        task = get_task(config.domain, config.dataset_name, config.env)
        assert task.dataset_name == config.dataset_name


def test_the_small_preset_is_for_every_robot_and_holds_whole_episodes():
    for robot in ("halfcheetah", "hopper", "walker2d"):
        for name in ("base", "base_markov", "base_no_ln"):
            config = load_config(f"loco_small/{name}", [f"dataset_name={robot}-own-random-v2"])
            task = get_task(config.domain, config.dataset_name, config.env)
            assert config.train.batch_size > task.horizon
            # updates between two collections, at most: a short run needs fresh data
            between = config.collect.parallel_size * task.horizon * config.train.utd
            assert between <= config.train.grad_steps / 10
            assert config.ensemble.save_dir.startswith("offline_world/ckpt/loco_small")


def test_a_typed_epoch_cap_wins():
    name = "dataset_name=hopper-random-v2"
    for typed, wanted in (("7", 7), ("null", None)):
        config = load_config("d4rl_loco/base", [name, f"ensemble.total_epochs={typed}"])
        assert config.ensemble.total_epochs == wanted


def test_pendulum_describes_its_environment():
    config = load_config("pendulum/base")
    assert config.ensemble.total_epochs == 60
    values = {"env.id": "Pendulum-v1", "env.horizon": 200, "env.termination": "never"}
    assert differences(config, values) == {}
    task = get_task(config.domain, config.dataset_name, config.env)
    assert task.horizon == 200
    assert (task.ref_min, task.ref_max) == (-1220, -150)
    # Score = (return + 1220) / 1070.
    assert config.env.ref_min == -1220
    assert config.env.ref_max - config.env.ref_min == 1070


def test_custom_is_complete_once_the_environment_is_described():
    environment = """dataset_name=mine env.id=Pendulum-v1 env.dataset_path=mine.hdf5 env.horizon=200
        env.ref_min=-1220 env.ref_max=-150 +env.kwargs.g=9.8"""
    config = load_config("custom/base", environment.split())
    assert config.env.kwargs == {"g": 9.8}
    assert config.ensemble.save_dir == "offline_world/ckpt/custom"


def test_bandit_config_holds_the_published_values():
    config = load_config("offline_bandit")
    assert type(config) is BanditConfig
    values = table(
        """eval.times=100 eval.real_episodes=20 eval.rollout_episodes=100
        collect.data_path=offline_world/data/bandit.npz collect.save_dir=offline_world/ckpt/bandit
        collect.ensemble_size=100 collect.parallel_size=100 collect.penalty_coef=0.0
        collect.unc_type=epi_mean collect.eps_start=1.0 collect.eps_end=0.1
        collect.eps_end_ratio=0.1
        train.grad_steps=20000 train.batch_size=1000 train.buffer_size=1000000 train.utd=0.02
        train.enc_lr=3e-6 train.head_lr=1e-4 train.lr_ratio=1.0 train.weight_decay=0
        train.gamma=0.99 train.target_tau=0.005 train.adam_eps=1e-8 train.gradient_scale=1.0
        model.memory.d_model=256 model.memory.d_hidden=128 model.memory.n_layers=2
        model.memory.r_min=0.0 model.memory.r_max=0.9 model.memory.kind=lru
        model.head_d_hidden=256 model.head_n_layers=2
        ensemble.total_size=128 ensemble.hidden_size=16 ensemble.batch_size=128 ensemble.lr=1e-3
        ensemble.weight_decay=1e-4 ensemble.total_epochs=500 ensemble.improve_thres=1e-3
        ensemble.max_epochs_since_update=5"""
    )
    assert differences(config, values) == {}


@pytest.mark.parametrize("command", PUBLISHED_COMMANDS.strip().splitlines())
def test_published_commands_compose(command):
    _, script, *arguments = shlex.split(command, comments=True)
    options = dict(argument.split("=") for argument in arguments if argument.startswith("--"))
    overrides = [argument for argument in arguments if not argument.startswith("--")]
    folder = PurePosixPath(options["--config-path"]).name
    config = load_config(f"{folder}/{options['--config-name']}", overrides)
    for override in overrides:
        key, value = override.lstrip("+").split("=")
        if key != "task":
            assert at(config, key) == table(f"k={value}")["k"]
    assert type(config) is (MarkovConfig if script == "offline_markov.py" else ContConfig)


def test_debug_shrinks_everything_but_what_was_typed():
    for domain in (*DOMAINS, "offline_bandit"):
        name = domain if domain == "offline_bandit" else f"{domain}/base"
        config = load_config(name, ["debug=true", "train.grad_steps=33"])
        assert config.train.grad_steps == 33
        assert config.ensemble.total_size <= 4
        assert config.train.buffer_size <= 20_000
        assert config.model.memory.d_model <= 16
        folder = config.collect if domain == "offline_bandit" else config.ensemble
        assert folder.save_dir.endswith("_debug"), "a debug ensemble must not replace a real one"
