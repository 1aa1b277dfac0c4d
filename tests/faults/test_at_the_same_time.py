"""Programs that share a run directory, a world model and a compilation cache at the same time."""

import numpy as np
import pytest

from harness.log.metrics_file import read_rows
from offline_world.checkpoint import load_ensemble
from tests.cli.programs import agent_arrays, timeless
from tests.cli.tiny import AGENT, MODEL, WORLD
from tests.faults.fork_server import Program

pytestmark = pytest.mark.slow


def test_trainings_of_one_world_model_and_agents_in_it(tmp_path):
    # two at once, in directories of their own, to one file
    folders = [tmp_path / name for name in ("one", "two", "three", "four")]
    for folder in folders:
        folder.mkdir()
    models = f"ensemble.save_dir={tmp_path / 'models'}"
    trainings = [
        Program(folder, "offline_world/cont_ensemble.py", *WORLD, models) for folder in folders[:2]
    ]
    for training in trainings:
        assert training.end() == 0, training.output.read_text()
    (model,) = (tmp_path / "models").rglob("*.eqx")
    # its own checksum says that neither wrote into the other
    assert load_ensemble(model, 3, 1).size == 4
    print("\ntwo trainings of one world model at once: 1 sound file")

    cache = {"JAX_COMPILATION_CACHE_DIR": str(tmp_path / "compiled")}
    agents = [Program(folder, "offline_cont.py", *AGENT, models, **cache) for folder in folders]
    for agent in agents:
        assert agent.end() == 0, agent.output.read_text()
    runs = [
        next((folder / "runs/offline_cont").rglob("finished.json")).parent for folder in folders
    ]
    first = agent_arrays(runs[0] / "agent")
    for run in runs[1:]:
        other = agent_arrays(run / "agent")
        for name, array in first.items():
            np.testing.assert_array_equal(other[name], array, name)
        assert timeless(read_rows(run / "metrics.jsonl")) == timeless(
            read_rows(runs[0] / "metrics.jsonl")
        )
    print("four agents at once in one world model and an empty compilation cache: 4 equal")
    assert MODEL.endswith(model.name)


def test_two_identical_commands(tmp_path):
    programs = [
        Program(tmp_path, "offline_world/cont_ensemble.py", *WORLD, output=f"{i}.txt")
        for i in range(2)
    ]
    codes = sorted(program.end() for program in programs)
    said = "".join(program.output.read_text() for program in programs)
    assert codes == [0, 2] or (codes == [0, 0] and "is finished" in said), said
    assert "Traceback" not in said
    assert "in use by a live process" in said or "is finished" in said
    print(f"\ntwo identical commands at once: exit codes {codes}")
