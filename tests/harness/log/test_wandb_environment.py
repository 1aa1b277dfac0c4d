"""wandb's own agent of a sweep starts the real command, with its real library offline."""

import sys
from pathlib import Path

from wandb.wandb_agent import Agent

from tests.cli.programs import environment
from tests.wandb_files import stored

REPOSITORY = Path(__file__).resolve().parents[3]

PROGRAM = REPOSITORY / "offline_world/cont_ensemble.py"
ROOT = {"run_root": "her runs (1)"}
#: As documented in docs/runs.md.
COMMAND = [
    *("${env}", sys.executable, "${program}"),
    *("--config-path=../configs/pendulum", "--config-name=base", "${args_no_hyphens}"),
]


def test_an_agent_of_a_sweep_starts_a_program(tmp_path, monkeypatch):
    """It gets its orders from this test instead of a server."""
    monkeypatch.chdir(tmp_path)
    variables = environment(tmp_path) | {
        "PYTHONPATH": str(REPOSITORY),
        "WANDB_SWEEP_ID": "sweep1",
        "WANDB_PROJECT": "searched",
        "WANDB_MODE": "offline",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    # what the agent sets for its runs is undone with this
    for name in ("WANDB_RUN_ID", "WANDB_SWEEP_PARAM_PATH"):
        monkeypatch.setenv(name, "")
    agent = Agent(None, None, "sweep1")

    def order(run_id: str, command: list[str]) -> int:
        agent._sweep_command = command
        chosen = {"ensemble.lr": 0.125, "ensemble.total_epochs": 1, "debug": True}
        settings = {key: {"value": value} for key, value in (chosen | ROOT).items()}
        agent._command_run({"run_id": run_id, "program": str(PROGRAM), "args": settings})
        return agent._run_processes[run_id]._popen.wait()

    assert order("run1", COMMAND) == 0
    # in a sweep wandb keeps its files in its own folder
    run, _ = stored(tmp_path)
    assert (run.run_id, run.sweep_id, run.project) == ("run1", "sweep1", "searched")
    config = {item.key or item.nested_key[0]: item.value_json for item in run.config.update}
    assert config["ensemble.lr"] == "0.125"
    assert (tmp_path / "her runs (1)/cont_ensemble").is_dir()
