"""`+seeds=[0,1]`: two runs in one process, each what its own command would have left."""

import json

import numpy as np
import pytest

from harness.log.metrics_file import read_rows
from tests.cli.programs import agent_arrays, succeed, timeless
from tests.cli.tiny import AGENT, RUN
from tests.logged_names import OURS_SIDE_BY_SIDE

TOGETHER = (*AGENT, "+seeds=[0,1]")
#: Figures of a single gradient, in which rounding is what the figures' definition leaves of it.
ROUGH = ("_grad_norm", "_update_norm")


def assert_same_run(alone, beside):
    """All rows and figures, to rounding; and the same files of the same form."""
    one, other = (read_rows(run / "metrics.jsonl") for run in (alone, beside))
    assert set().union(*other) == set().union(*one) | OURS_SIDE_BY_SIDE
    one, other = timeless(one), timeless(other)
    assert [row["step"] for row in one] == [row["step"] for row in other]
    for row, same in zip(one, other, strict=True):
        assert row.keys() == same.keys()
        for name, value in row.items():
            tolerance = 1e-2 if name.endswith(ROUGH) else 1e-5
            assert same[name] == pytest.approx(value, rel=tolerance, abs=1e-6), (row["step"], name)
    one, other = (agent_arrays(run / "agent") for run in (alone, beside))
    assert one.keys() == other.keys()
    for name, array in one.items():
        np.testing.assert_allclose(other[name], array, atol=1e-3, err_msg=name)
    for name in ("finished.json", "inputs.json"):
        one, other = (json.loads((run / name).read_text()) for run in (alone, beside))
        assert one.keys() == other.keys()
    one, other = ((run / "config.yaml").read_text().splitlines() for run in (alone, beside))
    assert [line for line in one if "run_root" not in line] == [
        line for line in other if "run_root" not in line
    ]
    files = [{path.name for path in run.iterdir()} - {"wandb"} for run in (alone, beside)]
    assert files[0] == files[1]


def test_seeds_side_by_side_are_the_runs_that_they_would_be_alone(trained):
    told = succeed(trained, "offline_cont.py", *TOGETHER, "run_root=beside", WANDB_MODE="offline")
    assert "replay: 2 × 20," in told and told.count("score × 100") == 2
    for seed in (0, 1):
        alone = trained / RUN / f"seed{seed}"
        assert_same_run(alone, trained / "beside" / alone.relative_to(trained / "runs"))
