"""The measurements for a card run through without one, on a machine that has little else."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_imports import HEAVY, SETTINGS, assert_importable

ROOT = Path(__file__).parents[1]
LACKING = HEAVY | SETTINGS | {"rich", "filelock", "requests", "pandas"}
STEPS = {
    *("device", "update", "repeat", "add", "act", "collection", "fit_epoch", "uncertainty"),
    *("update_from_host", "checkpoint"),
}


def check(*options: str, folder: Path) -> tuple[subprocess.CompletedProcess, dict]:
    """gpu_check.py --small, where nothing that only a whole installation has can be imported."""
    missing = "".join(f"sys.modules[{name!r}] = None\n" for name in LACKING)
    # every process of the check imports this before all else
    (folder / "sitecustomize.py").write_text(f"import sys\n{missing}")
    file = folder / "figures.json"
    flags = "--xla_backend_optimization_level=0"
    result = subprocess.run(
        [sys.executable, "benchmarks/gpu_check.py", "--small", "--out", str(file), *options],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(folder), "XLA_FLAGS": flags},
        capture_output=True,
        text=True,
    )
    return result, json.loads(file.read_text()) if file.exists() else {}


def test_what_is_measured_can_be_imported_on_a_bare_machine():
    assert_importable(["benchmarks.gpu_steps"], LACKING)


@pytest.mark.slow
def test_the_check_for_a_card_runs_through_on_a_cpu(tmp_path):
    result, figures = check("--modes", "default", folder=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    measured = figures["default"]
    assert measured.keys() == STEPS | {"second process: repeat"}
    assert not any("error" in step for step in measured.values()), measured
    assert measured["repeat"]["same_twice"]
    assert measured["repeat"]["digest"] == measured["second process: repeat"]["digest"]


def test_what_runs_out_of_time_keeps_nothing_running_and_says_so(tmp_path):
    result, _ = check("--modes", "default", "--minutes", "0.02", folder=tmp_path)
    assert result.returncode == 1
    assert "0.02 minutes are over; what was measured is kept" in result.stdout
