"""The studies' programs from the command line, on the embedded task at debug sizes."""

import json

import equinox as eqx
import numpy as np
import pytest

from figures.compounding import spearman
from figures.error_files import load_errors
from figures.error_quantiles import step_medians
from offline_world.checkpoint import load_ensemble, save_ensemble, stored_statistics
from tests.cli import programs
from tests.cli.in_process import fail, succeed
from tests.cli.tiny import RUN, WORLD

ERRORS = ("--config-path=configs/pendulum", "--config-name=base", "debug=true")
NO_LN = tuple(word.replace("name=base", "name=base_no_ln") for word in ERRORS)
LOGGED = "plt/pendulum_debug/pendulum-random-v1/pendulum-pump-v1"
#: Of the weights that predict a trained model's step: its change is then a multiple of the state.
GROWTH = 30.0


@pytest.fixture(scope="module")
def evaluated(trained):
    """Errors of both world models, the one without LayerNorm trained for it."""
    plain = (word.replace("name=base", "name=base_no_ln") for word in WORLD)
    programs.succeed(trained, "offline_world/cont_ensemble.py", *plain)
    programs.succeed(trained, "eval_error.py", *ERRORS, "collect.unc_quantile=-1.0")
    programs.succeed(trained, "eval_error.py", *NO_LN, "+eval_dataset=pump-v1")
    return trained


def test_errors_are_kept_as_arrays_and_the_run_as_finished(evaluated):
    for name, run in (
        ("with_LN", "collect.unc_quantile=-1.0,debug=True"),
        ("without_LN", "base_no_ln,debug=True,eval_dataset=pump-v1"),
    ):
        with np.load(evaluated / LOGGED / f"{name}_seed0.npz") as arrays:
            assert arrays["rmse"].shape == arrays["reward_error"].shape == (200, 100)
            assert arrays["oracle_rmse"].shape == arrays["uncertainty"].shape == (400, 100)
            assert (arrays["thresholds"] > 0).all()
            assert (np.diff(arrays["thresholds"]) >= 0).all()
            median = float(np.sort(arrays["rmse"][9])[49])
        folder = evaluated / "runs/eval_error/pendulum-random-v1" / run / "seed0"
        finished = json.loads((folder / "finished.json").read_text())
        figures = finished["figures"]
        assert finished["objective"] == figures["median_rmse_step100"]
        assert figures["median_rmse_step10"] == pytest.approx(median, rel=1e-5)
        assert set(figures) == {f"median_rmse_step{step}" for step in (1, 10, 100)}


@pytest.fixture(scope="module")
def diverged(evaluated):
    """What eval_error.py leaves of the world model without LayerNorm after its steps have grown."""
    file = "pendulum-random-v1/ensemble_seed0.eqx"
    trained = evaluated / "offline_world/ckpt/pendulum_no_ln_debug" / file
    ensemble = eqx.tree_at(
        lambda e: e.members.mean_head.weight,
        load_ensemble(trained, state_dim=3, action_dim=1),
        replace_fn=lambda weight: GROWTH * weight,
    )
    save_ensemble(evaluated / "grown" / file, ensemble, stored_statistics(trained))
    folders = "ensemble.save_dir=grown", "ensemble.plot_dir=lost"
    told = programs.succeed(evaluated, "eval_error.py", *NO_LN, *folders)
    assert "median_rmse_step100 inf" in told
    names = "pendulum-random-v1", "pendulum-pump-v1"
    return load_errors(evaluated / "lost", *names, has_ln=False)


def test_nothing_is_frozen_the_errors_of_a_diverging_model_rise_to_infinity(diverged):
    rmse = diverged["rmse"]
    assert np.isfinite(rmse[0]).all() and np.isinf(rmse[-1]).mean() > 0.9
    # once lost, a trajectory stays so
    assert (np.diff(np.isinf(rmse).astype(int), axis=0) >= 0).all()
    medians = step_medians(rmse)
    assert (np.diff(medians[np.isfinite(medians)]) > 0).mean() > 0.9
    largest = rmse[np.isfinite(rmse)].max()
    assert largest > 1e25, "beyond where a frozen rollout would have stopped"
    for name in ("rms", "uncertainty", "oracle_rmse"):
        assert np.isinf(diverged[name][-1]).mean() > 0.9 and not np.isnan(diverged[name]).any()


def test_rewards_errors_have_signs_and_stay_infinite(diverged):
    error = diverged["reward_error"]
    assert (error < 0).any() and (error > 0).any()
    assert np.isinf(error[-1]).mean() > 0.9 and not np.isnan(error).any()


def test_uncertainty_ranks_as_the_error_does(diverged):
    assert spearman(diverged) >= 0.9


def test_plot_ln_draws_both_world_models(evaluated):
    told = succeed(
        evaluated,
        "plot_ln.py",
        *("--train_dataset", "pendulum-random-v1", "--eval_dataset", "pump-v1"),
        *("--plot_dir", "plt/pendulum_debug"),
    )
    names = ("compounding_error", "error_and_uncertainty")
    paths = [f"{LOGGED}/{name}.{kind}" for name in names for kind in ("pdf", "png", "npz")]
    table = f"{LOGGED}/compounding_error.md"
    assert told.split() == [*paths, table]
    rows = (evaluated / table).read_text().splitlines()[4:]
    assert [row.split(" | ")[1:3] for row in rows] == [["0", "100"], ["all", "100"]] * 2
    with np.load(evaluated / paths[2]) as arrays:
        low, median, high = arrays["without_LN_rmse"]
        assert median.shape == (200,) and (low <= median).all() and (median <= high).all()
        assert f" | {median[99]:.4g} ({high[99]:.4g}) |" in rows[3]
    with np.load(evaluated / paths[5]) as arrays:
        assert -1 <= arrays["with_LN_spearman"] <= 1
        np.testing.assert_allclose(arrays["threshold_quantiles"], [0.9, 0.99, 0.999, 1.0])


def test_mistakes_are_told_in_a_sentence(trained):
    names = ("--train_dataset", "halfcheetah-random-v2", "--eval_dataset", "medium-replay-v2")
    sentence = fail(trained, "plot_ln.py", *names)
    assert (
        "there is no plt/d4rl_loco/halfcheetah-random-v2/medium-replay-v2/with_LN_seed" in sentence
    )
    assert "dataset_name=halfcheetah-random-v2 +eval_dataset=medium-replay-v2`" in sentence
    sentence = fail(trained, "plot_ln.py", "--train_dataset", "mine", "--eval_dataset", "other")
    assert "'mine' is of no known task" in sentence
    sentence = fail(trained, "eval_error.py", *ERRORS, "+eval_dataset=expert-v1")
    assert "eval_dataset=expert-v1 is no dataset of pendulum" in sentence
    assert "pendulum-pump-v1" in sentence


def test_tables_and_figures_of_two_seeds(trained):
    told = succeed(trained, "plot_results.py", "runs/offline_cont", "--sweep", "--out", "tables")
    assert "| pendulum-random-v1 | recurrent | 2 |" in told
    names = ("learning_curves", "sweep_pendulum-random-v1")
    for name in ("scores.md", "scores.csv", "scores.tex", "seeds.csv"):
        assert (trained / "tables" / name).stat().st_size > 0
    for name in names:
        for kind in ("pdf", "png", "npz"):
            assert (trained / "tables" / f"{name}.{kind}").exists()
    lines = (trained / "tables/seeds.csv").read_text().splitlines()[1:]
    for seed, line in enumerate(lines):
        figures = json.loads((trained / RUN / f"seed{seed}" / "finished.json").read_text())
        assert float(line.split(",")[3]) == pytest.approx(100 * figures["figures"]["score"])
