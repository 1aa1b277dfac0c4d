"""Every record of a run directory in every state of damage: one sentence, and on where it can."""

import json

import pytest

from harness.configuration.composition import load_config
from harness.errors import UserError
from harness.run import opening
from harness.run.inputs import Input
from harness.run.opening import open_run
from harness.saving import checkpoint

DAMAGE = {
    "empty": b"",
    "garbage": b"{oops",
    "bytes": b"\xff\xfe\x00\x01" * 50,
    "list": b"[1, 2]",
    "number": b"3",
    "deep": b"[" * 100_000,
    "other keys": b'{"a": 1}',
    "other kinds": b'{"outputs": 3, "files": 3, "figures": [], "finished": {}, "model.eqx": 1}',
    "folder": None,
}


@pytest.fixture
def run_of(tmp_path, monkeypatch):
    """A run that has a checkpoint and depends on a file; opens it again as a program does."""
    # what the machine is like is told once for all tests
    monkeypatch.setattr(opening, "describe_environment", lambda *_: {"started": "now"})
    config = load_config("pendulum/base", [f"run_dir={tmp_path / 'run'}"])
    model = tmp_path / "model.eqx"
    model.write_bytes(b"weights")

    def reopen():
        with open_run("offline_cont", config) as run:
            run.depends_on(Input.file(model))
            return run, bool(run.finished)

    run, _ = reopen()
    (run.path / "metrics.jsonl").touch()
    checkpoint.save(run.checkpoint, 1, {"a": 1.0})
    return reopen


def spoil(file, kind):
    file.unlink(missing_ok=True)
    if DAMAGE[kind] is None:
        file.mkdir()
    else:
        file.write_bytes(DAMAGE[kind])


@pytest.mark.parametrize("kind", list(DAMAGE))
@pytest.mark.parametrize("name", ["finished.json", "environment.json", "inputs.json"])
def test_a_damaged_record_is_told_and_the_sound_checkpoint_used(run_of, capsys, name, kind):
    run, _ = run_of()
    spoil(run.path / name, kind)
    try:
        run, finished = run_of()
    except UserError as error:
        assert name in str(error) and "\n" not in str(error)
        # a folder cannot be replaced by a file
        assert kind == "folder"
    else:
        assert not finished
        said = capsys.readouterr().out
        if kind not in ("other keys", "other kinds") or name == "finished.json":
            assert f"{name}" in said and "note: " in said
        if name != "finished.json":
            assert isinstance(json.loads((run.path / name).read_text()), dict)
    assert checkpoint.exists(run.checkpoint)


@pytest.mark.parametrize("kind", [kind for kind in DAMAGE if kind != "other keys"])
def test_a_run_without_a_sound_configuration_is_not_continued(run_of, kind):
    run, _ = run_of()
    spoil(run.path / "config.yaml", kind)
    with pytest.raises(UserError) as caught:
        run_of()
    assert "\n" not in str(caught.value)
    assert checkpoint.exists(run.checkpoint)


def test_a_finished_run_whose_record_is_damaged_is_not_run_over_its_agent(run_of):
    run, _ = run_of()
    run.clear()
    (run.path / "finished.json").write_text("{oops")
    with pytest.raises(UserError, match="finished.json"):
        run_of()


def test_what_a_kill_after_the_end_leaves_is_cleared(run_of):
    run, _ = run_of()
    run.clear()
    assert not run.checkpoint.exists()
