from pathlib import Path

import pytest

from harness.errors import UserError
from neorl.datasets import NEORL_DATASETS, dataset_path, get_dataset
from neorl.scores import reference_returns

TASKS = ("HalfCheetah-v3", "Hopper-v3", "Walker2d-v3")
LEVELS = ("low", "medium", "high")


def test_nine_datasets_each_with_its_own_checksum():
    assert set(NEORL_DATASETS) == {f"{task}-{level}" for task in TASKS for level in LEVELS}
    checksums = {dataset.md5 for dataset in NEORL_DATASETS.values()}
    assert len(checksums) == 9
    assert all(len(md5) == 32 and int(md5, 16) for md5 in checksums)


def test_address_is_neorls():
    dataset = get_dataset("Walker2d-v3-medium")
    assert (dataset.task, dataset.level) == ("Walker2d-v3", "medium")
    assert dataset.md5 == "a93baf6c53b578cd8c2286ccc1f837d9"
    assert dataset.url == (
        "http://datasets.polixir.site/v2/Walker2d-v3/Walker2d-v3-medium-1000-train-noise.npz"
    )


def test_folder_is_neorls_unless_overridden(monkeypatch, tmp_path):
    monkeypatch.delenv("NEORL_DATASET_DIR", raising=False)
    name = "Hopper-v3-low-1000-train-noise.npz"
    assert dataset_path("Hopper-v3-low") == Path.home() / ".neorl" / name
    monkeypatch.setenv("NEORL_DATASET_DIR", str(tmp_path))
    assert dataset_path("Hopper-v3-low") == tmp_path / name
    monkeypatch.setenv("NEORL_DATASET_DIR", "~/elsewhere")
    assert dataset_path("Hopper-v3-low") == Path.home() / "elsewhere" / name


@pytest.mark.parametrize(
    ("task", "returns"),
    [("HalfCheetah-v3", (-298, 12284)), ("Hopper-v3", (5, 3294)), ("Walker2d-v3", (1, 5143))],
)
def test_reference_returns_are_shared_by_the_levels(task, returns):
    assert {reference_returns(f"{task}-{level}") for level in LEVELS} == {returns}


@pytest.mark.parametrize("function", [dataset_path, get_dataset, reference_returns])
def test_unknown_names_list_near_ones(function):
    with pytest.raises(UserError, match="'hopper-v3-low'.*Hopper-v3-low"):
        function("hopper-v3-low")
