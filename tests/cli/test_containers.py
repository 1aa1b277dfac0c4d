"""Commands of users that a container or a cluster makes up: in no password file, without a home or
with one that cannot be written. What is said on stderr is all that is said there.

Such a user can be made by root only.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from harness.checkout import ROOT
from tests.cli.programs import REPOSITORY, environment
from tests.cli.tiny import WORLD

UID = 12345
# reads what is root's, as the interpreter may be, and writes nothing of it
STRANGER = (
    *("setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups"),
    *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
)
IS_ROOT = os.geteuid() == 0
MADE_UP = (
    IS_ROOT and shutil.which("setpriv") and subprocess.run([*STRANGER, "true"]).returncode == 0
)
made_up = pytest.mark.skipif(not MADE_UP, reason="only root, with setpriv, can make up a user")
TRAINING = (*WORLD, "ensemble.total_epochs=1", "wandb.mode=offline")


@pytest.fixture
def folder():
    """The user's own folder, with one for temporary files in it; pytest's are closed to others."""
    with tempfile.TemporaryDirectory() as above:
        Path(above).chmod(0o755)
        for path in (Path(above, "own"), Path(above, "own/tmp")):
            path.mkdir()
            if MADE_UP:
                os.chown(path, UID, UID)
        yield path.parent


def run(folder, *arguments: str, **variables: str) -> subprocess.CompletedProcess:
    """The world model's command as that user; as this one where no other can be made."""
    about = ("HOME", "USER", "LOGNAME", "XDG_", "NETRC", "WANDB_", "MPLCONFIGDIR", "JAX_")
    own = {name: value for name, value in environment(folder).items() if not name.startswith(about)}
    return subprocess.run(
        [
            *(STRANGER if MADE_UP else ()),
            *(sys.executable, str(REPOSITORY / "offline_world/cont_ensemble.py"), *arguments),
        ],
        cwd=folder,
        env=own | {"TMPDIR": str(folder / "tmp")} | variables,
        capture_output=True,
        text=True,
    )


def is_logged(folder) -> bool:
    return any(folder.glob("runs/*/*/*/*/wandb/offline-run-*/*.wandb"))


@made_up
def test_a_user_without_a_home_or_a_name(folder):
    spare = folder / f"tmp/neubay-{UID}"
    result = run(folder, *TRAINING)
    assert result.returncode == 0, result.stderr
    assert result.stderr == (
        f"note: this user has no home folder (HOME is not set): {spare / 'home'} is used\n"
    )
    assert is_logged(folder) and (spare / "home/.cache/neubay-jax/compiled").is_dir()

    # a mistake is one sentence here as everywhere
    result = run(folder, *TRAINING, "run_dir=/proc/run")
    note, sentence = result.stderr.splitlines()
    assert result.returncode == 2 and note.startswith("note: this user has no home folder")
    assert sentence.startswith("error: the run directory /proc/run cannot be made (")


@pytest.mark.skipif(IS_ROOT and not MADE_UP, reason="root can write every folder")
def test_a_home_that_cannot_be_written_and_a_jax_set_up_for_other_work(folder):
    home = folder.parent / "home"
    home.mkdir(mode=0o555)
    result = run(folder, *TRAINING, HOME=str(home), JAX_ENABLE_X64="1")
    assert result.returncode == 0, result.stderr
    spare = folder / f"tmp/neubay-{UID}" if MADE_UP else ROOT / ".cache"
    assert result.stderr == (
        "note: JAX_ENABLE_X64 is ignored: everything is computed in float32, as published\n"
        f"note: the home folder {home} cannot be written: caches are in {spare}\n"
    )
    assert is_logged(folder) and list(home.iterdir()) == []
