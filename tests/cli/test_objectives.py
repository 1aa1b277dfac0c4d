"""What a sweeper gets of every program: here of runs that are finished, which it repeats."""

import json

import pytest
import yaml

from tests.cli.programs import succeed
from tests.cli.tiny import AGENT, RUN, SEEDS, WORLD

MODELS = "runs/cont_ensemble/pendulum-random-v1/debug=True"
SEARCH = ("-m", "hydra/sweeper=optuna", "hydra/sweeper/sampler=grid", "hydra.sweeper.n_trials=2")


def objectives(folder, runs):
    return [json.loads((folder / runs / f"seed{s}/finished.json").read_text()) for s in (0, 1)]


@pytest.mark.parametrize(
    ("script", "arguments", "runs", "best", "figure"),
    [
        ("offline_cont.py", AGENT, RUN, max, "score"),
        ("offline_world/cont_ensemble.py", WORLD, MODELS, min, "best"),
    ],
)
def test_a_repeated_search_finds_the_best_of_what_was_trained(
    trained, script, arguments, runs, best, figure
):
    direction = "maximize" if best is max else "minimize"
    where = (f"hydra.sweeper.direction={direction}", f"hydra.sweep.dir=searched_{direction}")
    told = succeed(trained, script, *SEARCH, *arguments, SEEDS, *where)
    assert told.count("is finished") == 2
    finished = objectives(trained, runs)
    wanted = best(record["figures"][figure] for record in finished)
    assert all(record["objective"] == record["figures"][figure] for record in finished)
    found = yaml.safe_load(
        (trained / where[1].partition("=")[2] / "optimization_results.yaml").read_text()
    )
    assert found["best_value"] == pytest.approx(wanted)
    assert found["best_params"] == {"seed": [r["figures"][figure] for r in finished].index(wanted)}
