"""What the figures' programs say of what they are given."""

import numpy as np
import pytest

from figures.error_files import error_file, save_errors
from tests.cli.in_process import fail, run

DATASETS = ("--train_dataset", "pendulum-random-v1", "--eval_dataset", "pendulum-pump-v1")


@pytest.mark.parametrize(("epochs", "alike"), [(12.0, False), (30.0, True)])
def test_world_models_of_other_epochs_are_told_from_each_other(tmp_path, epochs, alike):
    """Of a model without LayerNorm a trajectory leaves all bounds, which squashes no median."""
    rng = np.random.default_rng(0)
    for has_ln, of_model in ((True, 60.0), (False, epochs)):
        arrays = {name: rng.random((120, 5)) for name in ("rmse", "uncertainty", "rms")}
        arrays |= {"threshold_quantiles": np.array([0.9]), "thresholds": np.array([0.5])}
        arrays["epochs"] = np.full((1, 5), of_model)
        arrays["rmse"][:, 4] = 1.0 if has_ln else 1e20
        save_errors(error_file(tmp_path / "plt", *DATASETS[1::2], has_ln, 0), arrays)
    result = run(tmp_path, "plot_ln.py", *DATASETS, "--plot_dir", "plt")
    assert result.returncode == 0, result.stderr
    told = "epochs of training: with LayerNorm 60, without LayerNorm 12): the world models were not"
    assert (told in result.stderr) != alike
    assert ("warning" in result.stderr) != alike


def test_a_folder_without_runs_is_told(tmp_path):
    for script in ("plot_results.py", "plot_bandit.py"):
        told = fail(tmp_path, script, "nothing/here*", "--out", "figures")
        assert "nothing/here*" in told and not (tmp_path / "figures").exists()
