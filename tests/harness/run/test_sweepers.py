"""A sweeper that searches gets the objective of every job, also of one that was finished before."""

import os
import subprocess
import sys
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parents[3]

PROGRAM = """
from harness.configuration.schema import ContinuousConfig
from harness.entry import program

@program("offline_cont", ContinuousConfig, default="pendulum/base")
def main(config, run):
    print("trained")
    run.finish(objective=-(config.train.utd - 0.5) ** 2)

main()
"""
SEARCH = (
    *("-m", "hydra/sweeper=optuna", "hydra/sweeper/sampler=random", "hydra.sweeper.n_trials=4"),
    *("hydra.sweeper.direction=maximize", "hydra.sweeper.sampler.seed=1", "wandb.mode=disabled"),
    "train.utd=0.1,0.5,0.9",
)


def test_optuna_finds_the_best_and_repeats_no_finished_job(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)

    def search(*more):
        return subprocess.run(
            [sys.executable, "program.py", *SEARCH, *more],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
            capture_output=True,
            text=True,
        )

    found = []
    for trained in (True, False):
        result = search(f"hydra.sweep.dir=record_{trained}")
        assert result.returncode == 0, result.stderr
        assert result.stdout.count("job ") == 4
        assert ("trained" in result.stdout) == trained
        assert "is finished" in result.stdout or trained
        found.append(yaml.safe_load(next(tmp_path.glob(f"record_{trained}/*.yaml")).read_text()))
    assert (
        found[0]
        == found[1]
        == {
            "name": "optuna",
            "best_params": {"train.utd": 0.5},
            "best_value": 0.0,
        }
    )
