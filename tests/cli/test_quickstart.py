"""Programs that look at a finished run: the example, and the comparison of its values."""

import json

import pytest

from tests.cli.programs import REPOSITORY, fail, succeed
from tests.cli.tiny import RUN


@pytest.mark.slow
def test_the_quickstart_draws_horizons_and_q_values_of_a_run(trained):
    run = f"{RUN}/seed0"
    told = succeed(trained, "examples/quickstart.py", run, PYTHONPATH=str(REPOSITORY))
    assert "steps on average, Q " in told.splitlines()[-2]
    picture = trained / told.splitlines()[-1]
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_values_are_held_against_the_true_pendulum(trained):
    run = f"{RUN}/seed0"
    told = succeed(trained, "eval_values.py", run, "--states", "6", "--imagined")
    record = json.loads((trained / run / "values.json").read_text())
    told = told.splitlines()[-1]
    assert told.startswith(f"{run}: Q ") and "over 6 states; in its world model" in told
    over = record["overestimation"]
    assert over["low"] <= over["mean"] <= over["high"]
    difference = record["q"]["mean"] - record["promised"]["mean"]
    assert over["mean"] == pytest.approx(difference, rel=1e-5)
    shares = record["of_model"]["mean"] + record["of_critics"]["mean"]
    assert over["mean"] == pytest.approx(shares, rel=1e-5)
    assert (trained / run / "plots/values.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_values_of_a_directory_without_a_run(tmp_path):
    assert fail(tmp_path, "eval_values.py", ".").startswith(". is not a run directory")
