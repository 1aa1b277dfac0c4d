"""Which ensemble file a seed takes, and what is told before one is trained."""

import shlex
from dataclasses import asdict
from unittest.mock import Mock

import jax
import numpy as np
import pytest
from hydra.core.hydra_config import HydraConfig

from experience import replay_placement
from experience.replay import TapeReplay
from experience.tasks import get_task
from harness.configuration.composition import load_config
from harness.configuration.keys import flat, within
from harness.configuration.schema import WORLD_MODEL_KEYS
from harness.errors import UserError
from harness.process import free_memory, numerics
from offline_world.checkpoint import load_ensemble, save_ensemble
from online_rl.builders import recurrent_agent
from programs import trained_ensemble, world_model
from programs.continuous import train_agents
from programs.ensemble_training import note_replay
from programs.trained_ensemble import load_trained
from programs.training_record import write_record
from programs.world_model import mean_uncertainty, training_uncertainties
from tests import golden_map
from tests.offline_world import golden_ensemble

STATE, ACTION = 11, 3
MINE = (
    *("dataset_name=mine", "env.id=own:Robot-v0", "env.dataset_path=mine.hdf5"),
    *("env.horizon=50", "env.ref_min=-1.5", "env.ref_max=1e3"),
)


def test_uncertainties_are_kept_for_each_precision_of_products(tmp_path, monkeypatch):
    """A later run with another `train.matmul_precision` must not be given those of the first."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("JAX_DEFAULT_MATMUL_PRECISION", raising=False)
    monkeypatch.setattr(numerics, "_chosen", None)
    ensemble = golden_ensemble.random(2, 3, 3, 8, residual=2)
    inputs = jax.random.normal(jax.random.key(0), (5, 3))
    computed = []

    def row_uncertainties(*arguments):
        computed.append(len(computed) + 1.0)
        return np.full(5, computed[-1], np.float32)

    monkeypatch.setattr(world_model, "row_uncertainties", row_uncertainties)

    def under(precision, unc_type="epi_mean"):
        config = load_config("pendulum/base", [f"train.matmul_precision={precision}"])
        numerics.configure_numerics(config)
        return float(training_uncertainties(ensemble, inputs, "digest", unc_type)[0])

    before = jax.config.jax_default_matmul_precision
    try:
        names = ("highest", "default", "highest", "default")
        assert [under(name) for name in names] == [1, 2, 1, 2]
        assert under("highest", "ale_max") == 3 and len(computed) == 3
    finally:
        jax.config.update("jax_default_matmul_precision", before)


def test_a_seed_takes_the_file_of_its_number_and_no_other(tmp_path):
    """The published files of seeds 2 and 10, which string order would swap; seed 1 is missing."""
    published = load_ensemble(golden_map.GOLDEN / "ensemble_seed0.eqx", STATE, ACTION)
    stored = {
        seed: jax.tree.map(lambda leaf, seed=seed: leaf + np.float32(seed), published)
        for seed in (2, 10)
    }
    config = load_config(
        "d4rl_loco/base", ["dataset_name=hopper-medium-v2", "collect.ensemble_size=4"]
    )
    config.ensemble.save_dir = str(tmp_path)
    for seed, ensemble in stored.items():
        save_ensemble(tmp_path / f"hopper-medium-v2/ensemble_seed{seed}.eqx", ensemble)
    for seed, ensemble in stored.items():
        config.seed = seed
        loaded = load_trained(config, STATE, ACTION)
        for ours, theirs in zip(jax.tree.leaves(loaded), jax.tree.leaves(ensemble), strict=True):
            np.testing.assert_array_equal(ours, theirs)

    config.seed = 1
    with pytest.raises(UserError, match="no world model .*/hopper-medium-v2/ensemble_seed1.eqx"):
        load_trained(config, STATE, ACTION)


def test_a_typed_setting_is_the_one_that_the_world_model_was_trained_with(
    tmp_path, monkeypatch, capsys
):
    """Typed for an agent it would change nothing but the name of its run."""
    overrides = ["dataset_name=hopper-medium-v2", "collect.ensemble_size=4"]
    config = load_config("d4rl_loco/base", overrides)
    config.ensemble.save_dir = str(tmp_path)
    path = tmp_path / "hopper-medium-v2/ensemble_seed0.eqx"
    published = load_ensemble(golden_map.GOLDEN / "ensemble_seed0.eqx", STATE, ACTION)
    save_ensemble(path, published)
    load_trained(config, STATE, ACTION)
    note = "has 6 members of 16 hidden units, not 128 of 200 as"
    assert note in capsys.readouterr().out

    def typed(*keys):
        monkeypatch.setattr(trained_ensemble, "typed_keys", lambda: set(keys))

    typed("ensemble.hidden_size")
    words = r"eqx was trained with ensemble.hidden_size=16, not 200, .* `.*save_dir=<folder>`"
    with pytest.raises(UserError, match=words):
        load_trained(config, STATE, ACTION)
    # what no file says is not known of it
    typed("ensemble.lr")
    load_trained(config, STATE, ACTION)
    capsys.readouterr()
    config.ensemble.total_size, config.ensemble.hidden_size = 6, 16
    write_record(path, 30, config.ensemble)
    typed("ensemble.lr", "ensemble.total_size", "ensemble.hidden_size", "ensemble.save_dir")
    load_trained(config, STATE, ACTION)
    assert capsys.readouterr().out == ""
    config.ensemble.lr = 5e-4
    with pytest.raises(UserError, match="trained with ensemble.lr=0.001, not 0.0005"):
        load_trained(config, STATE, ACTION)
    typed("ensemble.hidden_size")
    load_trained(config, STATE, ACTION)


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_an_uncertainty_that_is_no_number_ends_before_the_training(tmp_path, number):
    assert mean_uncertainty(np.array([1.0, 3.0]), tmp_path) == 2.0
    with pytest.raises(UserError, match="world.eqx leaves the range of numbers"):
        mean_uncertainty(np.array([1.0, number]), tmp_path / "world.eqx")


@pytest.mark.parametrize(("width", "is_told"), [(10**6, True), (1, False)])
def test_a_replay_that_will_not_fit_is_told_before_the_world_model_is_trained(
    capsys, width, is_told
):
    config = load_config("pendulum/base", ["train.buffer_size=10000000"])
    task = get_task(config.domain, config.dataset_name, config.env)
    note_replay(config, Mock(state_dim=width, action_dim=1), task)
    told = "note: the agent of these settings could not be trained here: a replay of"
    assert capsys.readouterr().out.startswith(told) == is_told


def test_an_agent_whose_replay_does_not_fit_is_refused_before_its_world_is_loaded(
    tmp_path, monkeypatch
):
    for module in (free_memory, replay_placement):
        monkeypatch.setattr(module, "free_host_bytes", lambda: 1000)
    config = load_config("pendulum/base", ["debug=true", f"ensemble.save_dir={tmp_path}/none"])
    with pytest.raises(UserError, match="a replay of .* bytes of the host at most 80%"):
        train_agents([config], [Mock()], recurrent_agent, TapeReplay.sample_tape)


@pytest.mark.parametrize("config_name", ["base", "base_no_ln"])
@pytest.mark.parametrize(
    ("folder", "own"),
    [
        ("loco_small", []),
        ("d4rl_loco", []),
        ("pendulum", ["debug=true"]),
        ("custom", [*MINE, "+env.kwargs.name='a: b'"]),
    ],
)
def test_the_command_told_outside_a_program_is_that_of_the_same_world_model(
    tmp_path, monkeypatch, folder, own, config_name
):
    """A run that is read back knows its configuration alone, and not from which file it came."""
    # a program that ran in this process before
    monkeypatch.setattr(HydraConfig.instance(), "cfg", None)
    typed = ("seed=3", f"ensemble.save_dir={tmp_path}/my models", "ensemble.lr=0.002")
    config = load_config(f"{folder}/{config_name}", [*typed, *own])
    with pytest.raises(UserError, match="no world model") as told:
        load_trained(config, STATE, ACTION)
    command = shlex.split(str(told.value).split("`")[1])
    path, name, *overrides = command[command.index("python") + 2 :]
    assert path == f"--config-path=../configs/{config.domain}" and name == "--config-name=base"
    base = f"{config.domain}/base"
    commanded = load_config(base, overrides, learns_from=WORLD_MODEL_KEYS)
    # of the caps those of other datasets mean nothing
    caps = [one.ensemble.epoch_caps.get(one.dataset_name) for one in (config, commanded)]
    assert caps[0] == caps[1]
    for one in (config, commanded):
        one.ensemble.epoch_caps = {}
    ours, theirs = flat(asdict(config)), flat(asdict(commanded))
    for key in ours.keys() | theirs.keys():
        assert not within(key, WORLD_MODEL_KEYS) or ours[key] == theirs[key], key
