"""`save_agent`: copies of agents, of which none replaces another run's."""

from pathlib import Path

import jax.numpy as jnp
import pytest

from harness.configuration.composition import load_config
from harness.run.kept_agents import keep_agents
from harness.run.opening import open_run
from harness.saving import checkpoint


def kept(tmp_path, run_dir, weight, *overrides):
    """The agent of a run with this weight, kept."""
    options = [f"run_dir={tmp_path}/{run_dir}", "save_agent=true", f"save_agent_root={tmp_path}/k"]
    config = load_config("pendulum/base", [*options, *overrides])
    with open_run("offline_cont", config) as run:
        if run.finished is None:
            checkpoint.save(run.agent, 7, [jnp.full(2, weight)], kept=1)
            run.finish([run.agent])
        keep_agents(config, run)


@pytest.fixture
def told(capsys):
    def lines():
        return [Path(line.split()[-1]).name for line in capsys.readouterr().out.splitlines()]

    return lines


def test_runs_of_one_name_have_a_copy_each(tmp_path, told):
    kept(tmp_path, "a/seed0", 1.0)
    kept(tmp_path, "b/seed0", 2.0)
    kept(tmp_path, "c/seed0", 3.0)
    assert told() == ["seed0", "seed0-2", "seed0-3"]
    # asked once more, each finds its own
    kept(tmp_path, "b/seed0", 2.0)
    kept(tmp_path, "a/seed0", 1.0)
    assert told() == ["seed0-2", "seed0"]
    step, weights = checkpoint.restore(tmp_path / "k/seed0-2", [jnp.zeros(2)])
    assert step == 7 and weights[0].tolist() == [2.0, 2.0]


def test_a_run_trained_again_replaces_its_own_copy(tmp_path, told):
    kept(tmp_path, "a/seed0", 1.0)
    kept(tmp_path, "a/seed0", 2.0, "restart=true")
    assert told()[-1] == "seed0"
    _, weights = checkpoint.restore(tmp_path / "k/seed0", [jnp.zeros(2)])
    assert weights[0].tolist() == [2.0, 2.0]
