"""Command lines that nobody means: one sentence and exit code 2, or they are understood.

The real entry, in this process; a fuzzer with a fixed seed on top of what was found by hand.
"""

import sys

import numpy as np
import pytest

from harness.checkout import CONFIG_ROOT
from harness.configuration.schema import ContConfig
from harness.entry import program

pytestmark = pytest.mark.slow
BASE = (f"--config-path={CONFIG_ROOT}/pendulum", "--config-name=base")
HUGE = "9" * 5000

REFUSED = [
    [f"seed={HUGE}"],
    [f"train.grad_steps={HUGE}"],
    [f"train.utd=1e{HUGE}"],
    [f"seed=[{HUGE}]"],
    ["=1"],
    ["="],
    [""],
    [" "],
    ["--resolve"],
    ["--cfg"],
    ["--cfg=nothing"],
    ["run_dir=" + "x" * 5000],
    ["run_dir=" + "/".join(["x" * 200] * 40)],
    ["dataset_name=" + "x" * 5000],
    ["dataset_name=.."],
    ["dataset_name=/etc/passwd"],
    ["dataset_name='a\0b'"],
    ["run_dir='a\0b'"],
    ["run_root='a\0b'"],
    ["env.dataset_path='a\0b'"],
    ["ensemble.save_dir='a\0b'"],
    ["load_agent_path='a\0b'"],
    ["seed=${seed}"],
    ["seed=${nothing}"],
    ["dataset_name=${oc.env:NOTHING}"],
    ["dataset_name=${run_dir}"],
    ["train=1"],
    ["train.grad_steps=[1,2]"],
    ["train.grad_steps={a:1}"],
    ["train.grad_steps=null"],
    ["~train.grad_steps"],
    ["~train"],
    ["+seed=1"],
    ["++seed=x"],
    ["+a.b.c=1"],
    ["hydra.run.dir=" + "x" * 5000],
    ["hydra/launcher=nothing"],
    ["hydra.mode=x"],
    ["hydra=null"],
    ["-m", f"seed=range({HUGE})"],
    ["-m", "seed=range(1,2,0)"],
    ["-m", "seed="],
    ["seed=" + "[" * 2000],
    ["seed=" + "(" * 500],
    ["seed=" + "{a:" * 300],
    ["--config-name=" + "x" * 5000],
    ["--config-path=" + "x" * 5000],
    ["--config-name=../../etc/passwd"],
    ["--config-name="],
    ["--config-path="],
    ["--config-dir=/nowhere"],
    ["--info=x"],
    ["--multirun=3"],
    ["--unknown"],
    ["-x"],
    ["task=nothing"],
    ["task=../base"],
    ["\ud800=1"],
    ["seed=\ud800"],
    ["dataset_name=\udcff"],
]
UNDERSTOOD = [
    ["-c", "job", "--resolve"],
    # of what --cfg would show
    ["--package=x"],
]


@pytest.fixture
def end_of(monkeypatch, capsys, tmp_path):
    """(arguments) → exit code and stderr of the program's entry in an empty folder."""
    monkeypatch.chdir(tmp_path)
    main = program("offline_cont", ContConfig)(lambda config, run: None)

    def run(arguments):
        monkeypatch.setattr(sys, "argv", ["offline_cont.py", *arguments])
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code or 0
        return code, capsys.readouterr().err

    return run


def check(arguments, code, said):
    where = [argument[:60] for argument in arguments]
    assert code in (0, 2), (where, code, said[-600:])
    if code == 2 and not said.startswith("usage:"):
        lines = said.strip().splitlines()
        assert len(lines) == 1 and lines[0].startswith("error: "), (where, said[-600:])
        assert len(said) < 2000, (where, "a sentence that nobody reads", len(said))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [*((line, 2) for line in REFUSED), *((line, 0) for line in UNDERSTOOD)],
    ids=lambda of: repr(of)[:40],
)
def test_what_was_found(end_of, arguments, expected):
    own = any(argument.startswith("--config") for argument in arguments)
    arguments = arguments if own else [*BASE, *arguments]
    code, said = end_of(arguments)
    check(arguments, code, said)
    assert code == expected, ([argument[:60] for argument in arguments], said[-600:])


def test_at_random(end_of):
    rng = np.random.default_rng(0)
    keys = ["seed", "train.utd", "dataset_name", "env.kwargs.a", "task", "wandb.mode", "hydra.x"]
    marks = list("=[]{}(),:'\"\\$~+-.@#%&*!?;|<> \t\n\0\u00e9\u2028") + [
        "${",
        "range(",
        "null",
        "nan",
    ]
    counts = {"tried": 0, "refused": 0, "understood": 0}
    for _ in range(150):
        argument = keys[rng.integers(len(keys))] + "="
        for _ in range(rng.integers(1, 8)):
            argument += (
                marks[rng.integers(len(marks))] if rng.random() < 0.6 else str(rng.integers(100))
            )
        if rng.random() < 0.2:
            argument = argument[rng.integers(len(argument)) :]
        code, said = end_of([*BASE, argument])
        check([argument], code, said)
        counts["tried"] += 1
        counts["refused" if code else "understood"] += 1
    print(f"\ncommand lines at random: {counts}")
    assert min(counts.values()) > 2
