"""Which ensemble file a seed takes."""

import jax
import numpy as np
import pytest

from harness.configuration.composition import load_config
from harness.errors import UserError
from offline_world.checkpoint import load_ensemble, save_ensemble
from programs.world_model import load_trained, mean_uncertainty
from tests import golden_map

STATE, ACTION = 11, 3


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


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_an_uncertainty_that_is_no_number_ends_before_the_training(tmp_path, number):
    assert mean_uncertainty(np.array([1.0, 3.0]), tmp_path) == 2.0
    with pytest.raises(UserError, match="world.eqx leaves the range of numbers"):
        mean_uncertainty(np.array([1.0, number]), tmp_path / "world.eqx")
