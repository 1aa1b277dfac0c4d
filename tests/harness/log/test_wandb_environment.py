"""wandb's own conventions, with its real library offline: variables, sweep agents, `wandb sync`."""

import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from wandb.proto.wandb_internal_pb2 import Record
from wandb.wandb_agent import Agent

from harness.configuration.composition import load_config
from harness.errors import UserError
from harness.log import metrics
from harness.log.logger import Logger
from harness.log.wandb_settings import check_settings
from harness.run.directory import open_run
from tests.cli.programs import environment

REPOSITORY = Path(__file__).resolve().parents[3]
VARIABLES = ("PROJECT", "ENTITY", "RUN_GROUP", "NAME", "TAGS", "RUN_ID", "DIR", "MODE")


@pytest.fixture(autouse=True)
def clean(monkeypatch, tmp_path):
    for name in (*VARIABLES, "API_KEY", "BASE_URL", "SWEEP_ID", "SWEEP_PARAM_PATH"):
        monkeypatch.delenv(f"WANDB_{name}", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


def records(file: Path) -> Iterator[Record]:
    """What `wandb sync` reads: LevelDB's log in blocks of 32 KiB behind a header of 7 bytes."""
    data = file.read_bytes()
    assert data[:7] == b":W&B" + struct.pack("<HB", 0xBEE1, 0)
    place, pieces = 7, b""
    while place < len(data):
        left = 32768 - place % 32768
        if left < 7:
            place += left
            continue
        _, length, kind = struct.unpack_from("<IHB", data, place)
        pieces += data[place + 7 : place + 7 + length]
        place += 7 + length
        # 1: whole, 4: the last piece
        if kind in (1, 4):
            yield Record.FromString(pieces)
            pieces = b""


def stored(folder: Path) -> tuple[Record, list[Record]]:
    """The run's record, and all of them."""
    (file,) = folder.rglob("*.wandb")
    found = list(records(file))
    assert found[-1].WhichOneof("record_type") in ("exit", "footer", "final")
    return next(record.run for record in found if record.HasField("run")), found


def log_once(run_dir: Path, *overrides: str) -> None:
    config = load_config("pendulum/base", [f"run_dir={run_dir}", *overrides])
    with open_run("offline_cont", config) as run, Logger(run, config) as logger:
        logger.log(7, {metrics.SCORE: 0.5})


def test_its_variables_are_honoured_and_what_was_typed_wins(tmp_path, monkeypatch):
    own = ("mine", "us", "block", "the name", "tag1,tag2", "abc123", str(tmp_path / "there"))
    for name, value in zip(VARIABLES, (*own, "offline"), strict=True):
        monkeypatch.setenv(f"WANDB_{name}", value)
    (tmp_path / "there").mkdir()
    log_once(tmp_path / "run")
    run, found = stored(tmp_path / "there/wandb")
    assert (run.project, run.entity, run.run_group, run.display_name) == own[:4]
    assert (list(run.tags), run.run_id) == (["tag1", "tag2"], "abc123")
    assert (tmp_path / "run/wandb_id.txt").read_text() == "abc123\n"
    history = [record.history for record in found if record.HasField("history")]
    items = {item.key or item.nested_key[0]: item.value_json for item in history[0].item}
    assert (items[metrics.SCORE], items["step"]) == ("0.5", "7")

    monkeypatch.delenv("WANDB_DIR")
    log_once(tmp_path / "typed", "wandb.project=theirs", "wandb.group=g", "wandb.entity=e")
    run, _ = stored(tmp_path / "typed/wandb")
    assert (run.project, run.entity, run.run_group) == ("theirs", "e", "g")
    assert run.display_name == "the name"

    check_settings("offline")
    with pytest.raises(UserError, match="WANDB_RUN_ID names one run"):
        check_settings("offline", many_jobs=True)
    check_settings("disabled", many_jobs=True)


PROGRAM = """
from harness.configuration.schema import ContinuousConfig
from harness.run.entry import program

@program("offline_cont", ContinuousConfig, default="pendulum/base")
def main(config, run):
    from harness.log.logger import Logger
    with Logger(run, config) as logger:
        logger.log(3, {"test_envs/normalized_score": config.train.utd})
    run.finish(objective=config.train.utd)

main()
"""
#: As documented in docs/runs.md.
COMMAND = ["${env}", sys.executable, "${program}", "--config-name=base", "${args_no_hyphens}"]


def test_an_agent_of_a_sweep_starts_a_program(tmp_path, monkeypatch):
    """wandb's own agent, which gets its orders from this test instead of a server."""
    (tmp_path / "program.py").write_text(PROGRAM)
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
        settings = {"train.utd": {"value": 0.125}, "run_root": {"value": "her runs (1)"}}
        agent._command_run({"run_id": run_id, "program": "program.py", "args": settings})
        return agent._run_processes[run_id]._popen.wait()

    assert order("run1", COMMAND) == 0
    # in a sweep wandb keeps its files in its own folder
    run, _ = stored(tmp_path)
    assert (run.run_id, run.sweep_id, run.project) == ("run1", "sweep1", "searched")
    config = {item.key or item.nested_key[0]: item.value_json for item in run.config.update}
    assert config["train.utd"] == "0.125"

    # wandb's usual command gives --key=value
    usual = subprocess.run(
        [sys.executable, "program.py", "--train.utd=0.125"],
        capture_output=True,
        text=True,
        env=os.environ | variables,
    )
    assert usual.returncode == 2
    assert usual.stderr == (
        "error: --train.utd is no option: settings have no hyphens, as in train.utd=<value>; let"
        " the command of a wandb sweep end with ${args_no_hyphens} instead of ${args}\n"
    )
