"""Runs that were renamed, copied, begun again, or written by an earlier version."""

import json
import shutil

import pytest

from harness.configuration.composition import load_config
from harness.configuration.schema import WORLD_MODEL_KEYS
from harness.errors import UserError
from harness.run.directory import EARLIER
from harness.run.finished import is_foreign, place, put_aside, renew_copies
from harness.run.opening import open_run
from harness.run.records import read_settings


def config_in(path, *overrides):
    return load_config("pendulum/base", [f"run_dir={path}", *overrides])


def finished_in(path, *overrides, program="cont_ensemble"):
    with open_run(program, config_in(path, *overrides)) as run:
        return run.finished


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A finished world model's run at `run`, whose model is also at `models/model.eqx`."""
    monkeypatch.chdir(tmp_path)
    with open_run("cont_ensemble", config_in("run")) as run:
        kept = run.path / "model.eqx"
        kept.write_text("weights")
        place(kept, tmp_path / "models/model.eqx")
        run.finish([kept], objective=0.2, copies={kept: "models/model.eqx"}, best=0.2)
    return tmp_path


def test_no_path_in_a_record_depends_on_where_the_run_is(model):
    record = finished_in("run")
    assert (record.files, record.objective, record.figures) == (["model.eqx"], 0.2, {"best": 0.2})
    assert str(model) not in (model / "run/finished.json").read_text()
    (model / "run").rename(model / "elsewhere")
    assert finished_in("elsewhere") == record
    shutil.copytree(model / "elsewhere", model / "deep/copy")
    assert finished_in(model / "deep/copy") == record


def test_what_is_also_kept_elsewhere_is_put_back_and_compared(model):
    copy, run = model / "models/model.eqx", model / "run"
    assert renew_copies(run, finished_in(run)) == []
    copy.unlink()
    assert renew_copies(run, finished_in(run)) == [
        f"models/model.eqx was gone: put back from {run}/model.eqx"
    ]
    assert copy.read_text() == "weights"
    # as cp and wget do, in place: the run's own is another file
    copy.write_text("other weights")
    (told,) = renew_copies(run, finished_in(run))
    assert told.startswith("warning: models/model.eqx is not what this run made")
    assert (run / "model.eqx").read_text() == "weights"


def test_what_others_made_is_told_from_what_the_run_made(model):
    copy, run = model / "models/model.eqx", model / "run"
    assert not is_foreign(run, copy) and not is_foreign(run, model / "models/none.eqx")
    with open_run("cont_ensemble", config_in("run", "restart=true")):
        assert not is_foreign(run, copy), "an earlier training of this run"
    copy.write_text("downloaded")
    assert is_foreign(run, copy)
    assert [put_aside(copy).name, copy.exists()] == ["model.eqx.before-1", False]
    copy.write_text("another")
    assert put_aside(copy).name == "model.eqx.before-2"


def test_a_finished_run_is_never_trained_over(model):
    (model / "run/model.eqx").unlink()
    with pytest.raises(UserError, match=r"run is finished, but model\.eqx is not there.*restart"):
        finished_in("run")
    (model / "run/finished.json").write_text('{"finished": ')
    with pytest.raises(UserError, match=r"run/finished\.json is not JSON: whether"):
        finished_in("run")


def test_restart_moves_the_records_aside_each_time(model):
    (model / "run/metrics.jsonl").write_text("{}\n")
    for number in ("1", "2"):
        with open_run("offline_cont", config_in("run", "restart=true", f"seed={number}")) as run:
            assert run.finished is None and not run.continued
            assert sorted(path.name for path in run.path.iterdir()) == [
                *("config.yaml", EARLIER, "environment.json", "lock")
            ]
            names = {path.name for path in (run.path / EARLIER / number).iterdir()}
            assert {"config.yaml", "environment.json"} <= names
    first = model / "run" / EARLIER / "1"
    assert {"finished.json", "metrics.jsonl", "model.eqx"} <= {f.name for f in first.iterdir()}
    assert read_settings(first / "config.yaml")["seed"] == 0


def test_records_of_absolute_paths_are_understood(tmp_path, monkeypatch):
    """As earlier versions wrote them, in a checkout that has been moved since."""
    monkeypatch.chdir(tmp_path)
    for run, outputs in {
        "agent_run": ["/old/checkout/agent_run/agent", "/old/kept/agents/seed0"],
        "model_run": ["/old/checkout/ckpt/pendulum/model.eqx"],
        "lost_run": ["/old/checkout/ckpt/pendulum/lost.eqx"],
    }.items():
        with open_run("offline_cont", config_in(run)):
            pass
        record = {"finished": "2025-01-01", "outputs": outputs, "figures": {"score": 0.9}}
        (tmp_path / run / "finished.json").write_text(json.dumps(record))
    (tmp_path / "agent_run/agent").mkdir()
    (tmp_path / "ckpt/pendulum").mkdir(parents=True)
    (tmp_path / "ckpt/pendulum/model.eqx").touch()
    record = finished_in("agent_run", program="offline_cont")
    assert record.files == ["agent"] and record.objective == record.figures["score"] == 0.9
    assert finished_in("model_run", program="offline_cont").files == []
    with pytest.raises(UserError, match=r"lost_run is finished, but lost\.eqx is not there"):
        finished_in("lost_run", program="offline_cont")


def test_a_key_that_an_older_version_did_not_have_was_at_its_default(tmp_path):
    with open_run("offline_cont", config_in(tmp_path / "run")):
        pass
    file = tmp_path / "run/config.yaml"
    lines = [line for line in file.read_text().splitlines() if "real_episodes" not in line]
    file.write_text("\n".join(lines))
    with (
        pytest.raises(UserError, match=r"\(eval.real_episodes: 20 -> 7\)"),
        open_run("offline_cont", config_in(tmp_path / "run", "eval.real_episodes=7")),
    ):
        pass
    with open_run("offline_cont", config_in(tmp_path / "run")) as run:
        assert run.continued


def test_keys_that_change_nothing_that_is_learned_may_change(tmp_path):
    path = tmp_path / "run"
    free = ("save_agent=true", "save_agent_root=kept", "wandb.project=x", "ensemble.plot_dir=p")
    execution = ("train.replay=host", "train.memory_scan=sequential")
    with open_run("offline_cont", config_in(path)):
        pass
    with open_run("offline_cont", config_in(path, *free, *execution)) as run:
        assert run.continued
    agent_keys = config_in(tmp_path / "world", "train.utd=1", "collect.unc_quantile=0.5")
    for config in (config_in(tmp_path / "world"), agent_keys):
        with open_run("cont_ensemble", config, relevant=WORLD_MODEL_KEYS):
            pass
    with (
        pytest.raises(UserError, match="ensemble.lr"),
        open_run(
            "cont_ensemble",
            config_in(tmp_path / "world", "ensemble.lr=1"),
            relevant=WORLD_MODEL_KEYS,
        ),
    ):
        pass


def test_a_run_that_fails_before_it_began_leaves_no_folder(tmp_path):
    with (
        pytest.raises(UserError, match="no world model"),
        open_run("offline_cont", config_in(tmp_path / "a/b/c")),
    ):
        raise UserError("there is no world model")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "a").mkdir()
    with (
        pytest.raises(UserError),
        open_run("offline_cont", config_in(tmp_path / "a/b")) as run,
    ):
        run.metrics.touch()
        raise UserError("the training diverged")
    assert (tmp_path / "a/b/metrics.jsonl").exists()
    (tmp_path / "file").touch()
    with (
        pytest.raises(UserError, match="cannot be made"),
        open_run("offline_cont", config_in(tmp_path / "file/run")),
    ):
        pass
