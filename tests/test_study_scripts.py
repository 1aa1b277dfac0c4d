"""The shell scripts of results/: every command that they would start is one that its program takes.

They are run for real, but with an interpreter that only writes down what it was asked for.
"""

import os
import shlex
import shutil
import subprocess
from pathlib import Path, PurePosixPath

import pytest
from hydra._internal.utils import get_args_parser

from harness.checkout import ROOT
from harness.configuration.composition import load_config
from harness.process.arguments import as_overrides

PROGRAMS = {
    "offline_world/cont_ensemble.py": (),
    "offline_world/bandit_ensemble.py": ("seed",),
    "offline_cont.py": (),
    "offline_markov.py": (),
    "offline_bandit.py": (),
}
#: Of a finished run, which the figures' script keeps.
FINISHED = "runs/studies/offline_cont/pendulum-random-v1/default/seed0/config.yaml"


def commands(folder: Path, script: str, *, there: str = FINISHED) -> list[list[str]]:
    """What the script would start in `folder`, one list of arguments each, if a file is `there`."""
    shutil.copytree(ROOT / "results", folder / "results", ignore=all_but_scripts)
    file = folder / there
    file.parent.mkdir(parents=True)
    file.touch()
    recorder, record = folder / "python", folder / "commands"
    recorder.write_text(f"""#!/bin/sh
        for word in "$@"; do echo "$word"; done >> {record}
        echo >> {record}
    """)
    recorder.chmod(0o755)
    variables = {"PYTHON": str(recorder), "D4RL_DATASET_DIR": str(folder), "SEEDS": "0"}
    words = ["bash", *shlex.split(script)]
    subprocess.run(words, cwd=folder, env=os.environ | variables, check=True)
    return [each.split("\n") for each in record.read_text().rstrip("\n").split("\n\n")]


def all_but_scripts(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if "." in name and not name.endswith(".sh")]


def composed(program: str, arguments: list[str]):
    """The configuration of one seed that Hydra would hand to the program."""
    options = get_args_parser().parse_args(as_overrides(arguments, PROGRAMS[program]))
    overrides = [one for one in options.overrides if not one.startswith("+seeds=")]
    if options.config_name is None:
        return load_config("offline_bandit", overrides)
    room = PurePosixPath(options.config_path).name
    return load_config(f"{room}/{options.config_name}", overrides)


@pytest.mark.parametrize(
    ("script", "agents"),
    [
        ("results/run_studies.sh 0", 12),
        ("results/loco/run_studies.sh hopper-own-mix-v2 0 1", 13),
        ("results/loco/run_studies.sh --quick hopper-own-random-v2", 11),
        ("results/loco/iterated_data.sh hopper 1", 1),
        ("results/bandit/run.sh shipped", 4),
        ("results/bandit/run.sh published bandit.pkl", 8),
    ],
)
def test_every_command_is_understood(tmp_path, script, agents):
    asked = commands(tmp_path, script)
    assert all((ROOT / program).exists() for program, *_ in asked)
    settings = [
        (program, composed(program, arguments))
        for program, *arguments in asked
        if program in PROGRAMS
    ]
    trained = [config for program, config in settings if not is_world(program)]
    assert len(trained) == agents
    assert len({str(config) for config in trained}) == len(trained), "one setting twice"


@pytest.mark.parametrize(
    ("script", "kept", "seeds"),
    [
        ("loco/run_studies.sh r 0", "loco/r/base_0/values.json", 12 * ["+seeds=[0]"]),
        (
            "loco/run_studies.sh r 0 1",
            "loco/r/base_0/values.json",
            ["+seeds=[1]", *12 * ["+seeds=[0,1]"]],
        ),
        (
            "loco/run_studies.sh --quick r 0",
            "loco/quick/r/base_0/values.json",
            10 * ["+seeds=[0]"],
        ),
        ("bandit/run.sh shipped", "bandit/shipped/3e-6/0_0/metrics.jsonl", 3 * ["seed=0"]),
    ],
)
def test_what_is_kept_is_not_trained_again(tmp_path, script, kept, seeds):
    asked = commands(tmp_path, f"results/{script}", there=f"results/{kept}")
    agents = [args for program, *args in asked if program in PROGRAMS and not is_world(program)]
    assert [arg for args in agents for arg in args if "seed" in arg] == seeds


def is_world(program: str) -> bool:
    return program.startswith("offline_world")
