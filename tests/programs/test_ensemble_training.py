"""What a world model's training leaves alone."""

import jax
import pytest

from harness.checkout import ROOT
from harness.configuration.composition import load_config
from harness.errors import UserError
from harness.run.opening import open_run
from offline_world.checkpoint import save_ensemble
from offline_world.modules import Ensemble
from offline_world.scaler import Statistics
from programs.bandit import ensemble_path, train_ensemble
from programs.ensemble_training import require_free
from programs.training_record import write_record


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


@pytest.mark.parametrize(
    ("data", "overrides", "is_free"),
    [("rows", [], True), ("other rows", [], False), ("rows", ["ensemble.lr=0.5"], False)],
)
def test_the_same_world_model_may_be_made_again(tmp_path, data, overrides, is_free):
    """As after the run directories have been deleted."""
    path, before = tmp_path / "ensemble_seed0.eqx", load_config("pendulum/base")
    ensemble = Ensemble(2, 4, 4, 8, residual=3, key=jax.random.key(0))
    save_ensemble(path, ensemble, Statistics.EXACT, "rows")
    write_record(path, 7, before.ensemble)
    config = load_config("pendulum/base", [*overrides, f"run_dir={tmp_path}/run"])
    with open_run("cont_ensemble", config) as run:
        if is_free:
            require_free(path, run, config, data)
        else:
            with pytest.raises(UserError, match="is there already, and"):
                require_free(path, run, config, data)
