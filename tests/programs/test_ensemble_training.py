"""What a world model's training leaves alone."""

import pytest

from harness.checkout import ROOT
from harness.configuration.composition import load_config
from harness.errors import UserError
from harness.run.opening import open_run
from programs.bandit import ensemble_path, train_ensemble


def test_a_file_that_another_made_is_not_replaced(tmp_path):
    data = f"collect.data_path={ROOT}/offline_world/data/bandit.npz"
    places = [f"collect.save_dir={tmp_path}/ckpt", f"ensemble.plot_dir={tmp_path}/plt"]
    config = load_config("offline_bandit", ["debug=true", data, *places, f"run_dir={tmp_path}/run"])
    path = ensemble_path(config)
    path.parent.mkdir()
    path.write_text("downloaded")
    with (
        pytest.raises(UserError, match=r"ensemble_seed0\.eqx is there already, and .*save_dir"),
        open_run("bandit_ensemble", config) as run,
    ):
        train_ensemble(config, run)
    assert path.read_text() == "downloaded" and not run.path.exists()
