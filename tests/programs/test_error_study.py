"""The program that follows logged trajectories, with a world model that diverges."""

import jax
import numpy as np
import pytest

from figures.compounding import spearman
from figures.error_files import load_errors
from figures.error_quantiles import step_medians
from harness.configuration.composition import load_config
from harness.run.directory import open_run
from offline_world.checkpoint import save_ensemble
from programs.error_study import study_errors
from programs.world_data import ensemble_path
from tests.offline_world import golden_ensemble

#: Of the weights: a step's change is then a multiple of the state.
GROWTH = 2.0


@pytest.fixture(scope="module")
def errors(tmp_path_factory):
    """What eval_error.py leaves of four members without LayerNorm whose steps grow and grow."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("diverging")
        patch.chdir(folder)
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        config = load_config(
            "pendulum/base_no_ln", ["debug=true", "collect.ensemble_size=4", "run_dir=run"]
        )
        ensemble = golden_ensemble.random(4, 4, 4, 16, residual=3, has_ln=False)
        ensemble = jax.tree.map(lambda leaf: GROWTH * leaf, ensemble)
        save_ensemble(ensemble_path(config), ensemble)
        with open_run("eval_error", config) as run:
            study_errors(config, run)
        names = "pendulum-random-v1", "pendulum-pump-v1"
        return load_errors(folder / config.ensemble.plot_dir, *names, has_ln=False)


def test_nothing_is_frozen_the_errors_rise_to_infinity(errors):
    rmse = errors["rmse"]
    assert np.isfinite(rmse[0]).all() and np.isinf(rmse[-1]).mean() > 0.9
    # once lost, a trajectory stays so
    assert (np.diff(np.isinf(rmse).astype(int), axis=0) >= 0).all()
    medians = step_medians(rmse)
    assert (np.diff(medians[np.isfinite(medians)]) > 0).mean() > 0.9
    largest = rmse[np.isfinite(rmse)].max()
    assert largest > 1e25, "beyond where a frozen rollout would have stopped"
    for name in ("rms", "uncertainty", "oracle_rmse"):
        assert np.isinf(errors[name][-1]).mean() > 0.9 and not np.isnan(errors[name]).any(), name


def test_rewards_errors_have_signs_and_stay_infinite(errors):
    error = errors["reward_error"]
    assert (error < 0).any() and (error > 0).any()
    assert np.isinf(error[-1]).mean() > 0.9 and not np.isnan(error).any()


def test_uncertainty_ranks_as_the_error_does(errors):
    assert spearman(errors) >= 0.9
