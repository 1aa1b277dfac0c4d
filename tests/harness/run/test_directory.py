"""The run directory: names, the lock, continuing, and what must not be mixed."""

import hashlib
import json
import subprocess
import sys

import pytest

from harness.checkout import CONFIG_ROOT
from harness.configuration.composition import load_config
from harness.configuration.schema import WORLD_MODEL_KEYS
from harness.errors import UserError
from harness.run.inputs import Input
from harness.run.naming import run_name
from harness.run.opening import open_run
from harness.run.provenance import describe_environment

HOLDER = """
import sys
from harness.configuration.composition import load_config
from harness.run.opening import open_run
with open_run("offline_cont", load_config("pendulum/base", [f"run_dir={sys.argv[1]}"])):
    print("locked", flush=True)
    sys.stdin.read()
"""


def config_in(path, *overrides):
    return load_config("pendulum/base", [f"run_dir={path}", *overrides])


def test_names_tell_siblings_apart():
    cases = [
        (["seed=3", "dataset_name=x", "wandb.mode=offline", "run_root=r"], "base", "default"),
        (["task=hopper_random", "seed=0"], "base", "task=hopper_random"),
        (["train.utd=0.1", "collect.unc_quantile=0.9"], "base", None),
        (["+eval_dataset=a/b c"], "base", "eval_dataset=a_b__c"),
        # as typed, and as a sweep passes it on
        (["debug=true", "train.alpha_lr=1e-5"], "base", "debug=True,train.alpha_lr=1e-05"),
        (["debug=True", "train.alpha_lr=1e-05"], "base", "debug=True,train.alpha_lr=1e-05"),
        # the last value counts
        (["train.utd=0.1", "seed=1", "train.utd=0.2"], "base", "train.utd=0.2"),
        ([], "base_no_ln", "base_no_ln"),
        ([], "base_markov", "default"),
        (
            ["save_agent=true", "save_agent_root=x", "restart=true", "ensemble.plot_dir=p"],
            "base",
            "default",
        ),
    ]
    for overrides, name, wanted in cases:
        wanted = wanted or "collect.unc_quantile=0.9,train.utd=0.1"
        assert run_name(overrides, name) == wanted
    world = ["ensemble.lr=1e-4", "collect.unc_quantile=0.9", "train.utd=1", "task=hopper_random"]
    assert run_name(world, "base", WORLD_MODEL_KEYS) == "ensemble.lr=0.0001"
    long = [f"+env.kwargs.number{number}={number}" for number in range(40)]
    assert len(run_name(long, "base")) < 200
    assert run_name(long, "base") != run_name([*long, "train.gamma=0.9"], "base")


def test_default_place(tmp_path):
    config = load_config("pendulum/base", [f"run_root={tmp_path}", "seed=4", "train.utd=0.1"])
    with open_run("offline_cont", config, ["seed=4", "train.utd=0.1"]) as run:
        assert run.path == tmp_path / "offline_cont/pendulum-random-v1/train.utd=0.1/seed4"
        assert not run.continued and not run.finished


def test_the_same_config_continues_and_another_is_refused(tmp_path):
    path = tmp_path / "run"
    with open_run("offline_cont", config_in(path)) as run:
        assert not run.continued
    with open_run("offline_cont", config_in(path, "wandb.mode=offline")) as run:
        assert run.continued
    with (
        pytest.raises(UserError) as caught,
        open_run("offline_cont", config_in(path, "train.utd=0.1")),
    ):
        pass
    assert "train.utd: 0.05 -> 0.1" in str(caught.value)
    assert "gamma" not in str(caught.value)
    with (
        pytest.raises(UserError, match="holds a run of offline_cont, not of cont_ensemble"),
        open_run("cont_ensemble", config_in(path)),
    ):
        pass
    # The refused attempts changed nothing.
    with open_run("offline_cont", config_in(path)) as run:
        assert run.continued
    environment = json.loads((path / "environment.json").read_text())
    assert environment["versions"]["jax"] and environment["backend"] == "cpu"
    assert environment["engine"]["name"] == "gymnasium" and environment["engine"]["version"]
    engine = describe_environment("d4rl_loco", "mujoco")["engine"]
    assert engine["name"] == "mujoco" and engine["version"]
    assert len(environment["earlier_sessions"]) == 2


def test_what_a_run_depends_on_may_not_change_once_it_has_a_checkpoint(tmp_path):
    config = config_in(tmp_path / "run")
    model = tmp_path / "ensemble_seed0.eqx"
    for weights in ("first", "second"):
        model.write_text(weights)
        with open_run("offline_cont", config) as run:
            run.depends_on(Input.file(model))
    run.checkpoint.mkdir()
    with open_run("offline_cont", config) as run:
        run.depends_on(Input.file(model))
        model.write_text("third")
        with pytest.raises(UserError, match=r"ensemble_seed0\.eqx has changed since"):
            run.depends_on(Input.file(model))
    inputs = json.loads((run.path / "inputs.json").read_text())
    digest = hashlib.sha256(b"second").hexdigest()
    assert inputs.keys() == {model.name}
    assert (inputs[model.name]["path"], inputs[model.name]["sha256"]) == (str(model), digest)


def test_a_finished_run_is_of_the_inputs_that_it_had(tmp_path):
    data = tmp_path / "car.hdf5"
    data.write_text("one")
    asked = []

    def source(content: str) -> Input:
        def digest():
            asked.append(content)
            return content

        return Input("dataset", data, digest)

    with open_run("cont_ensemble", config_in(tmp_path / "run")) as run:
        run.depends_on(source("its digest"))
        run.finish()
    run.require_unchanged([source("another"), Input.file(tmp_path / "gone", "env.termination")])
    assert asked == ["its digest"], "a file that nobody touched is not read again"
    data.write_text("two!")
    run.require_unchanged([source("its digest")])
    words = r"run is finished, but .*car.hdf5 has changed since then .* or give restart=true"
    with pytest.raises(UserError, match=words):
        run.require_unchanged([source("another")])
    (run.path / "inputs.json").unlink()
    run.require_unchanged([source("another")])


@pytest.mark.parametrize(
    ("made", "stays"), [("member/checkpoint/0/state.npz", True), ("wandb/offline-run/files", False)]
)
def test_a_new_run_that_fails_keeps_what_it_made(tmp_path, made, stays):
    with (
        pytest.raises(UserError, match="the disk is full"),
        open_run("bandit_study", config_in(tmp_path / "new/run")) as run,
    ):
        (run.path / made).parent.mkdir(parents=True)
        (run.path / made).touch()
        raise UserError("the disk is full")
    assert (run.path / made).exists() == (tmp_path / "new").exists() == stays


def test_foreign_and_broken_directories_are_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with (
        pytest.raises(UserError, match=r"thesis\.tex"),
        open_run("offline_cont", config_in(tmp_path)),
    ):
        pass
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "config.yaml").write_text("a: [1")
    with (
        pytest.raises(UserError, match="cannot be read"),
        open_run("offline_cont", config_in(broken)),
    ):
        pass
    assert (broken / "config.yaml").read_text() == "a: [1"


def test_a_live_process_keeps_others_out_and_a_killed_one_does_not(tmp_path):
    path = tmp_path / "run"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=CONFIG_ROOT.parent,
    ) as holder:
        try:
            assert holder.stdout.readline() == "locked\n"
            with (
                pytest.raises(UserError, match="in use by a live process"),
                open_run("offline_cont", config_in(path)),
            ):
                pass
        finally:
            holder.kill()
    with open_run("offline_cont", config_in(path)) as run:
        assert run.continued
