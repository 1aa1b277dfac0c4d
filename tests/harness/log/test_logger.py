"""metrics.jsonl, wandb's real library offline and with a dead network, and the progress line."""

import json
import os
import pty
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
import wandb

from harness.configuration.composition import load_config
from harness.errors import UserError
from harness.log import logger as logger_module
from harness.log import metrics, wandb_run, wandb_settings
from harness.log.logger import Logger
from harness.log.metrics_file import read_rows
from harness.log.sink import Sink
from harness.log.sinks import SINKS
from harness.run.opening import open_run

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def no_login(monkeypatch, tmp_path):
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL", "WANDB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


def config_in(tmp_path, mode):
    return load_config("pendulum/base", [f"run_dir={tmp_path / 'run'}", f"wandb.mode={mode}"])


def test_rows_are_written_as_they_come_and_not_doubled_on_resume(tmp_path):
    config = config_in(tmp_path, "disabled")
    with open_run("offline_cont", config) as run:
        with Logger(run, config) as logger:
            for step in (0, 10, 20):
                logger.log(step, {metrics.SCORE: jnp.float32(step), metrics.Q_REAL: np.nan})
                assert [row["step"] for row in read_rows(run.metrics)][-1] == step
        # A kill in the middle of a line.
        run.metrics.write_text(run.metrics.read_text() + '{"step": 30, "test')
        with Logger(run, config, resume_rows=2) as logger:
            logger.log(20, {metrics.SCORE: 21})
        rows = [json.loads(line) for line in run.metrics.read_text().splitlines()]
        assert [(row["step"], row[metrics.SCORE]) for row in rows] == [
            (0, 0.0),
            (10, 10.0),
            (20, 21),
        ]
        assert rows[0][metrics.Q_REAL] is None
        with Logger(run, config):
            assert read_rows(run.metrics) == []
        assert not (run.path / "wandb").exists()


class Kept(Sink):
    """A sink that remembers the calls it has a use for."""

    def __init__(self, opening):
        self.opening, self.calls = opening, []

    def log(self, step, metrics):
        self.calls.append((step, dict(metrics)))

    def close(self, exit_code):
        self.calls.append(exit_code)


def test_a_further_sink_gets_everything_and_its_failure_closes_the_others(tmp_path, monkeypatch):
    kept = []

    class Failing(Kept):
        def close(self, exit_code):
            raise OSError("the disk is gone")

    def opening(kind):
        return lambda opening: kept.append(kind(opening)) or kept[-1]

    monkeypatch.setattr(logger_module, "SINKS", [*SINKS, opening(Failing), opening(Kept)])
    config = config_in(tmp_path, "disabled")
    with (
        open_run("offline_cont", config) as run,
        pytest.raises(OSError, match="disk"),
        Logger(run, config, unit="epochs") as logger,
    ):
        logger.log(3, {metrics.SCORE: 0.5, "plots/learning": tmp_path / "plot.png"})
        logger.progress(3, 10, score=0.5)
    failing, last = kept
    assert failing.calls == [(3, {metrics.SCORE: 0.5})] and last.opening.unit == "epochs"
    assert last.calls == [*failing.calls, 0]
    assert [row[metrics.SCORE] for row in read_rows(run.metrics)] == [0.5]


def test_a_metrics_file_of_something_else_is_refused(tmp_path):
    path = tmp_path / "metrics.jsonl"
    for text, words in (("{oops}\n", "line 1"), ('{"step": 1}\n[3]\n', "line 2")):
        path.write_text(text)
        with pytest.raises(UserError, match=words):
            read_rows(path)


def test_wandb_offline_keeps_one_run_across_restarts(tmp_path):
    config = config_in(tmp_path, "auto")
    with open_run("offline_cont", config) as run:
        for resume in (None, 1):
            with Logger(run, config, resume_rows=resume) as logger:
                logger.log(10, {metrics.SCORE: 0.5})
        folders = sorted((run.path / "wandb").glob("offline-run-*"))
        identity = (run.path / "wandb_id.txt").read_text().strip()
        # wandb numbers folders of the same second after the id.
        assert len(folders) == 2 and all(f"-{identity}" in folder.name for folder in folders)
        stored = b"".join(file.read_bytes() for file in (run.path / "wandb").glob("*/*.wandb"))
        assert metrics.SCORE.encode() in stored


def test_a_dead_network_stops_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_API_KEY", "a" * 40)
    monkeypatch.setattr(wandb_run, "_INIT_SECONDS", 1)
    config = config_in(tmp_path, "auto")
    with open_run("offline_cont", config) as run:
        with Logger(run, config) as logger:
            logger.log(0, {metrics.SCORE: 0.5})
        assert list((run.path / "wandb").glob("offline-run-*/*.wandb"))
        assert len(read_rows(run.metrics)) == 1
    assert "logged offline" in capsys.readouterr().err


def test_wandb_offline_survives_a_service_that_starts_badly(tmp_path, monkeypatch, capsys):
    real, failures = wandb.init, [TimeoutError("busy"), wandb.errors.CommError("no service")]

    def init(**settings):
        if failures:
            raise failures.pop()
        return real(**settings)

    monkeypatch.setattr(wandb, "init", init)
    config = config_in(tmp_path, "offline")
    with open_run("offline_cont", config) as run:
        with Logger(run, config) as logger:
            logger.log(0, {metrics.SCORE: 0.5})
        (stored,) = (run.path / "wandb").glob("offline-run-*/*.wandb")
        assert metrics.SCORE.encode() in stored.read_bytes()
        assert capsys.readouterr().err == ""

        failures += [OSError("broken")] * 3
        with Logger(run, config) as logger:
            logger.log(0, {metrics.SCORE: 0.5})
        assert "wandb failed (broken), so only metrics.jsonl goes on" in capsys.readouterr().err
        assert len(read_rows(run.metrics)) == 1


def test_wandb_modes(tmp_path, monkeypatch):
    def mode(setting, server="https://api.wandb.ai"):
        return wandb_settings.wandb_mode(setting, lambda: server)

    assert mode("auto") == "offline"
    assert mode("disabled") == "disabled"
    with pytest.raises(UserError, match="WANDB_API_KEY"):
        mode("online")
    (tmp_path / "netrc").write_text("machine api.wandb.ai\n  login user\n  password secret\n")
    (tmp_path / "netrc").chmod(0o600)
    assert mode("auto") == "online"
    assert mode("auto", "https://elsewhere.org") == "offline"
    monkeypatch.setenv("WANDB_MODE", "online")
    with pytest.raises(UserError, match="WANDB_MODE=online needs a login"):
        mode("auto", "https://elsewhere.org")
    assert mode("offline") == "offline"
    monkeypatch.delenv("WANDB_MODE")
    monkeypatch.setenv("WANDB_API_KEY", "a" * 40)
    assert mode("auto", "https://elsewhere.org") == "online"
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert mode("auto") == "disabled"
    # a second that nobody waits for in vain
    monkeypatch.setitem(sys.modules, "wandb", None)
    assert wandb_settings.server_mode("auto") == "disabled"


def test_progress_line_in_a_pipe(tmp_path, capsys, monkeypatch):
    clock = iter([0.0, 10.0, 25.0, 40.0])
    monkeypatch.setattr("harness.log.console.time.monotonic", lambda: next(clock))
    config = config_in(tmp_path, "disabled")
    with open_run("offline_cont", config) as run, Logger(run, config) as logger:
        logger.progress(0, 4000, score=-0.06, horizon=12)
        logger.progress(1000, 4000)
        logger.progress(2500, 4000, score=0.5)
        logger.progress(4000, 4000)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "0/4,000 updates  0%  score -0.06  horizon 12",
        "2,500/4,000 updates  62%  100/s  ETA 0:00:15  score 0.5  horizon 12",
        "4,000/4,000 updates  100%  100/s  ETA 0:00:00  score 0.5  horizon 12",
    ]


ON_A_TERMINAL = """
from harness.log.console import ProgressLine
line = ProgressLine("epochs")
for done in range(0, 101, 10):
    line.progress(done, 100, {"score": done / 200})
    if done == 50:
        print("evaluated")
line.close()
print("after")
"""


def test_progress_line_on_a_terminal_is_redrawn_in_place():
    master, terminal = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", ON_A_TERMINAL],
        stdout=terminal,
        cwd=REPOSITORY,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(terminal)
    screen = b""
    try:
        while chunk := os.read(master, 4096):
            screen += chunk
    except OSError:
        # How Linux reports that the other end of a terminal was closed.
        pass
    os.close(master)
    assert child.wait() == 0
    assert b"100/100 epochs  100%" in screen and b"score 0.5" in screen
    assert screen.count(b"\n") < 6, "the steps share one line"
    assert screen.index(b"evaluated") < screen.index(b"100/100")
    assert screen.rstrip().endswith(b"after")


def test_runs_side_by_side_have_a_wandb_run_each(tmp_path, monkeypatch, capsys):
    """Beside others a run is closed without them, and waits for a dead network no second time."""
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_API_KEY", "a" * 40)
    monkeypatch.setattr(wandb_run, "_INIT_SECONDS", 1)
    configs = [config_in(tmp_path / name, "auto") for name in ("one", "other")]
    with ExitStack() as open_:
        runs = [open_.enter_context(open_run("offline_cont", config)) for config in configs]
        loggers = [Logger(run, config) for run, config in zip(runs, configs, strict=True)]
        assert capsys.readouterr().err.count("logged offline") == 1
        for score, logger in enumerate(loggers):
            logger.log(0, {f"own/{score}": 0.5})
        loggers[0].close()
        loggers[1].log(1, {"own/late": 0.5})
        loggers[1].close()
        assert "wandb failed" not in capsys.readouterr().err
        stored = [
            next((run.path / "wandb").glob("offline-run-*/*.wandb")).read_bytes() for run in runs
        ]
    assert b"own/0" in stored[0] and b"own/1" not in stored[0]
    assert b"own/1" in stored[1] and b"own/late" in stored[1]
