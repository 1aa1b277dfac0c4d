"""Which dataset an evaluation is about, and files that are found again."""

import numpy as np
import pytest

from figures.error_files import (
    domain_of,
    elsewhere_task,
    error_file,
    full_name,
    load_errors,
    save_errors,
)
from harness.configuration.composition import load_config
from harness.errors import UserError


@pytest.mark.parametrize(
    ("domain", "train", "given", "expected"),
    [
        ("d4rl_loco", "halfcheetah-random-v2", "medium-replay-v2", "halfcheetah-medium-replay-v2"),
        ("d4rl_loco", "hopper-medium-v2", "hopper-random-v2", "hopper-random-v2"),
        ("neorl", "Walker2d-v3-low", "high", "Walker2d-v3-high"),
        ("adroit", "pen-human-v1", "cloned-v1", "pen-cloned-v1"),
        ("antmaze", "antmaze-umaze-v2", "umaze-diverse-v2", "antmaze-umaze-diverse-v2"),
        ("pendulum", "pendulum-random-v1", "pump-v1", "pendulum-pump-v1"),
    ],
)
def test_a_suffix_or_a_full_name(domain, train, given, expected):
    assert full_name(domain, train, given) == expected
    assert domain_of(train) == domain


@pytest.mark.parametrize("given", ["medium-v9", "walker2d-medium-v2"])
def test_a_dataset_of_another_environment_is_refused(given):
    with pytest.raises(UserError, match=f"eval_dataset={given} is no dataset of halfcheetah"):
        full_name("d4rl_loco", "halfcheetah-random-v2", given)


def test_the_dataset_that_a_configuration_asks_for(tmp_path, monkeypatch):
    published = ["dataset_name=halfcheetah-random-v2", "collect.unc_quantile=-1.0"]
    config = load_config("d4rl_loco/base_no_ln", [*published, "+eval_dataset=medium-replay-v2"])
    assert elsewhere_task(config).dataset_name == "halfcheetah-medium-replay-v2"
    with pytest.raises(UserError, match="eval_dataset must say"):
        elsewhere_task(load_config("d4rl_loco/base", published))

    task = elsewhere_task(load_config("pendulum/base"))
    assert task.dataset_name == "pendulum-pump-v1"
    assert task.dataset_path.endswith("pendulum-pump-v1.hdf5")

    mine = "dataset_name=mine env.id=Pendulum-v1 env.dataset_path=a.hdf5 env.horizon=9"
    mine = [*mine.split(), "env.ref_min=0", "env.ref_max=1", "+eval_dataset=folder/b.hdf5"]
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="eval_dataset=folder/b.hdf5 does not exist: give the path"):
        elsewhere_task(load_config("custom/base", mine))
    with pytest.raises(UserError, match="add for example .*or env.dataset_path itself"):
        elsewhere_task(load_config("custom/base", mine[:-1]))
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/b.hdf5").touch()
    task = elsewhere_task(load_config("custom/base", mine))
    assert (task.dataset_name, task.dataset_path) == ("b", "folder/b.hdf5")


def test_files_of_several_seeds_are_read_side_by_side(tmp_path):
    for seed, steps in enumerate((3, 2)):
        arrays = {
            "rmse": np.full((steps, 2 - seed), float(seed)),
            "threshold_quantiles": np.array([0.9, 1.0]),
            "thresholds": np.array([1.0, 2.0]) + seed,
        }
        path = error_file(tmp_path, "env-a-v0", "env-b-v0", True, seed)
        assert path.name == f"with_LN_seed{seed}.npz"
        save_errors(path, arrays)
    for name in ("env-b-v0", "b-v0"):
        errors = load_errors(tmp_path, "env-a-v0", name, True)
        np.testing.assert_array_equal(errors["rmse"], [[0, 0, 1], [0, 0, 1], [0, 0, np.nan]])
        np.testing.assert_array_equal(errors["thresholds"], [1.5, 2.5])
    with pytest.raises(UserError, match="without_LN_seed.* --config-name=base_no_ln "):
        load_errors(tmp_path, "env-a-v0", "b-v0", False)
