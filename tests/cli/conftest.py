"""A folder in which the embedded task has been trained once, through the command line."""

import shutil
from pathlib import Path

import pytest
from filelock import FileLock

from tests.cli.programs import run, succeed
from tests.cli.tiny import AGENT, SEEDS, WANDB, WORLD


@pytest.fixture(scope="session")
def trained(tmp_path_factory, worker_id):
    """Two world models and two agents (seeds 0 and 1), made by two sweeps; wandb offline.

    Made by the first process of a test run that asks for it; each process has a copy of its own.
    """
    if worker_id == "master":
        return _train(tmp_path_factory.mktemp("trained"))
    original = tmp_path_factory.getbasetemp().parent / "trained"
    with FileLock(f"{original}.lock"):
        if not (original / "told.txt").exists():
            original.mkdir()
            _train(original)
    # links as links: wandb's latest-run would be a second run
    return shutil.copytree(original, tmp_path_factory.mktemp("copy") / "trained", symlinks=True)


def _train(folder: Path) -> Path:
    succeed(folder, "offline_world/cont_ensemble.py", "-m", *WORLD, SEEDS)
    agents = run(folder, "offline_cont.py", "-m", *AGENT, SEEDS, WANDB_MODE="offline", **WANDB)
    # a wandb that gives up does not end a run, and its reason must not be lost here
    assert agents.returncode == 0 and "wandb failed" not in agents.stderr, agents.stderr
    # the last file: it says that the folder is whole
    (folder / "told.txt").write_text(agents.stdout)
    return folder
