"""A folder in which the embedded task has been trained once, through the command line."""

import pytest

from tests.cli.programs import run, succeed
from tests.cli.tiny import AGENT, SEEDS, WORLD


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """Two world models and two agents (seeds 0 and 1), made by two sweeps; wandb offline."""
    folder = tmp_path_factory.mktemp("trained")
    succeed(folder, "offline_world/cont_ensemble.py", "-m", *WORLD, SEEDS)
    agents = run(folder, "offline_cont.py", "-m", *AGENT, SEEDS, WANDB_MODE="offline")
    # a wandb that gives up does not end a run, and its reason must not be lost here
    assert agents.returncode == 0 and "wandb failed" not in agents.stderr, agents.stderr
    (folder / "told.txt").write_text(agents.stdout)
    return folder
