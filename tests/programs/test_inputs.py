"""What a run learns from besides its settings, and that neither may change under it."""

import os

import numpy as np
import pytest

from experience.data.dataset import load_dataset
from experience.data.rows import Dataset
from experience.tasks import get_task
from harness.configuration.composition import load_config
from harness.errors import UserError
from harness.named_function import function_file
from harness.run.opening import open_run
from programs.inputs import inputs_of, present_inputs
from tests.experience.collect import write_d4rl

RULE = "def ended(state, action, next_state):\n    return next_state[0] > {}\n"


@pytest.fixture
def car(tmp_path):
    """A user's own data and rule, and the configuration that names them."""

    def write(reward: float = 0.0, limit: int = 90):
        rng, rows = np.random.default_rng(0), 60
        states = rng.normal(size=(rows + 1, 3)).astype(np.float32)
        arrays = {
            "observations": states[:-1],
            "next_observations": states[1:],
            "actions": rng.uniform(-1, 1, (rows, 2)).astype(np.float32),
            "rewards": np.full(rows, reward, np.float32),
            "terminals": np.zeros(rows, bool),
            "timeouts": np.arange(rows) % 20 == 19,
        }
        (tmp_path / "car.hdf5").unlink(missing_ok=True)
        write_d4rl(tmp_path / "car.hdf5", arrays)
        (tmp_path / "rule.py").write_text(RULE.format(limit))

    write()
    where = [f"env.dataset_path={tmp_path}/car.hdf5", f"env.termination={tmp_path}/rule.py:ended"]
    task = ["dataset_name=car", "env.id=Pendulum-v1", *where]
    scale = ["env.horizon=20", "env.ref_min=0", "env.ref_max=1"]
    return write, load_config("custom/base", [*task, *scale, f"run_dir={tmp_path}/run"])


def task_of(config):
    return get_task(config.domain, config.dataset_name, config.env)


@pytest.mark.parametrize("changed", [{"reward": 1.0}, {"limit": 91}])
def test_a_run_neither_goes_on_nor_is_finished_with_other_data_or_another_rule(car, changed):
    write, config = car
    file = "car.hdf5" if "reward" in changed else "rule.py"
    with open_run("cont_ensemble", config) as run:
        run.depends_on(*inputs_of(task_of(config), load_dataset(task_of(config))))
        run.checkpoint.mkdir()
        # the same, made again
        write()
        run.depends_on(*inputs_of(task_of(config), load_dataset(task_of(config))))
        run.require_unchanged(present_inputs(config))
        write(**changed)
        with pytest.raises(UserError, match=f"{file} has changed since the run .* began"):
            run.depends_on(*inputs_of(task_of(config), load_dataset(task_of(config))))
        with pytest.raises(UserError, match=f"{file} has changed since then .* restart=true"):
            run.require_unchanged(present_inputs(config))


def test_what_is_gone_is_not_compared_and_not_made(car, tmp_path):
    _, config = car
    assert [source.key for source in present_inputs(config)] == ["dataset", "env.termination"]
    os.unlink(tmp_path / "car.hdf5")
    assert [source.key for source in present_inputs(config)] == ["env.termination"]
    pendulum = load_config("pendulum/base", [f"env.dataset_path={tmp_path}/none.hdf5"])
    assert present_inputs(pendulum) == [] and not (tmp_path / "none.hdf5").exists()


def test_the_file_of_a_rule_is_found_by_module_and_by_path(car, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    for spec in ("rule.ended", f"{tmp_path}/rule.py:ended"):
        assert function_file("env.termination", spec) == tmp_path / "rule.py"
    for spec in ("no_such_module.ended", "no_such_package.rule.ended"):
        with pytest.raises(UserError, match="no_such"):
            function_file("env.termination", spec)


def test_a_digest_is_that_of_the_rows_and_of_nothing_else():
    def rows(**changed) -> Dataset:
        blank = np.zeros((4, 2), np.float32)
        flags = np.zeros(4, bool)
        arrays = {"observations": blank, "actions": blank, "rewards": blank[:, 0]}
        arrays |= {"terminals": flags, "timeouts": flags, "next_observations": None}
        return Dataset(**(arrays | changed))

    assert rows().digest == rows().digest
    others = [
        rows(rewards=np.ones(4, np.float32)),
        rows(timeouts=np.ones(4, bool)),
        rows(terminals=np.ones(4, bool)),
        rows(next_observations=np.zeros((4, 2), np.float32)),
        rows(origin=np.array([1.0, 0.0])),
    ]
    assert len({each.digest for each in [rows(), *others]}) == 6
