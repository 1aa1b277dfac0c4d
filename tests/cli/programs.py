"""The project's programs as users start them: another process, another folder, real files."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[2]
#: Every number of a run but what a clock says.
CLOCK = ("time/", "count/wall_min")


def environment(folder: Path) -> dict[str, str]:
    """This process's, with datasets below `folder` and nothing of the machine's user for wandb,
    which also keeps the address of its service there: that of this process would not outlive it.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    return inherited | {
        "D4RL_DATASET_DIR": str(folder / "d4rl"),
        "NEORL_DATASET_DIR": str(folder / "neorl"),
        "NETRC": str(folder / "netrc"),
        "WANDB_MODE": "disabled",
    }


def start(folder: Path, script: str, *arguments: str, **variables: str) -> subprocess.Popen:
    """The program, running in `folder`."""
    return subprocess.Popen(
        [sys.executable, str(REPOSITORY / script), *arguments],
        cwd=folder,
        env=environment(folder) | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(folder: Path, script: str, *arguments: str, **variables: str):
    """The program's end: returncode, stdout and stderr."""
    process = start(folder, script, *arguments, **variables)
    out, err = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def succeed(folder: Path, script: str, *arguments: str, **variables: str) -> str:
    """What a program that must succeed prints."""
    return succeeded(run(folder, script, *arguments, **variables))


def fail(folder: Path, script: str, *arguments: str, **variables: str) -> str:
    """The one sentence of a program that must end with a user's error."""
    return failed(run(folder, script, *arguments, **variables))


def succeeded(result: subprocess.CompletedProcess) -> str:
    assert result.returncode == 0, result.stderr
    return result.stdout


def failed(result: subprocess.CompletedProcess) -> str:
    assert result.returncode == 2, result.stdout + result.stderr
    *others, sentence = result.stderr.splitlines()
    assert sentence.startswith("error: ") and not others, result.stderr
    return from_the_checkout(sentence.removeprefix("error: "))


def from_the_checkout(told: str) -> str:
    """What is said in a folder of a test's as it is said in the checkout."""
    return told.replace(f"{REPOSITORY}/", "")


def timeless(rows: list[dict]) -> list[dict]:
    """Rows of metrics.jsonl without what a clock says."""
    return [{k: v for k, v in row.items() if not k.startswith(CLOCK)} for row in rows]


def agent_arrays(folder: Path) -> dict:
    """Every array of a saved agent by its path."""
    (checkpoint,) = folder.glob("*-step*")
    with np.load(checkpoint / "state.npz") as stored:
        return dict(stored)
