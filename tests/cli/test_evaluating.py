"""`eval.beside_training` through the real command: another order of the rows, and nothing else."""

import json

import numpy as np

from harness.log import metrics
from harness.log.metrics_file import read_rows
from tests.cli.programs import REPOSITORY, agent_arrays, run, succeed, timeless
from tests.cli.tiny import AGENT, RUN
from tests.wandb_files import stored

BESIDE = (*AGENT, "eval.beside_training=true")


def told(rows):
    return [(row["step"], row[metrics.SCORE]) for row in rows if metrics.SCORE in row]


def test_the_same_rows_and_agent_and_wandb_has_every_evaluation(trained):
    succeed(trained, "offline_cont.py", *BESIDE, "run_dir=beside", WANDB_MODE="offline")
    sequential, beside = trained / RUN / "seed0", trained / "beside"
    one, other = (timeless(read_rows(folder / "metrics.jsonl")) for folder in (sequential, beside))
    assert told(one) == told(other) and len(told(one)) == 5
    for rows in (one, other):
        rows.sort(key=lambda row: (row["step"], sorted(row)))
    assert one == other
    one, other = (agent_arrays(folder / "agent") for folder in (sequential, beside))
    assert one.keys() == other.keys()
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name], name)

    _, records = stored(beside / "wandb")
    history = [record.history for record in records if record.HasField("history")]
    # wandb's own count of the rows: one that does not grow would be dropped
    assert [row.step.num for row in history] == list(range(len(history)))
    items = [{i.key or i.nested_key[0]: json.loads(i.value_json) for i in h.item} for h in history]
    assert told(items) == told(read_rows(beside / "metrics.jsonl"))


def test_an_environment_that_fails_is_told_as_ever(trained):
    faulty = ("env.id=tests.experience.real.faulty:Faulty-v0", "+env.kwargs={fault:reward,late:20}")
    result = run(trained, "offline_cont.py", *BESIDE, *faulty, PYTHONPATH=str(REPOSITORY))
    assert result.returncode == 2 and "Traceback" not in result.stderr, result.stderr
    sentence = result.stderr.splitlines()[-1]
    assert sentence.startswith("error: env.id=tests.experience.real.faulty:Faulty-v0 returned the")
    assert "reward nan at step 20: correct the environment" in sentence
