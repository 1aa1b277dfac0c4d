"""wandb's conventions through the real commands, with its real library offline."""

import subprocess
import sys

from harness.log import metrics
from tests.cli.programs import environment, fail, run, succeed
from tests.cli.tiny import AGENT, RUN, WANDB, WORLD
from tests.wandb_files import stored


def test_its_variables_are_honoured_in_every_job_of_a_sweep(trained):
    for seed in (0, 1):
        folder = trained / RUN / f"seed{seed}"
        told, found = stored(folder / "wandb")
        assert told.project == WANDB["WANDB_PROJECT"] and told.entity == WANDB["WANDB_ENTITY"]
        assert told.run_group == WANDB["WANDB_RUN_GROUP"] and told.notes == WANDB["WANDB_NOTES"]
        assert told.display_name == WANDB["WANDB_NAME"]
        assert list(told.tags) == WANDB["WANDB_TAGS"].split(",")
        assert told.run_id == (folder / "wandb_id.txt").read_text().strip()
        rows = [record.history for record in found if record.HasField("history")]
        names = [{item.key or item.nested_key[0] for item in row.item} for row in rows]
        assert sum(metrics.SCORE in row for row in names) > 1


def test_wandb_sync_finds_the_runs(trained):
    result = subprocess.run(
        [sys.executable, "-m", "wandb", "sync", "--dry-run", *(trained / RUN).glob("*/wandb")],
        cwd=trained,
        env=environment(trained),
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    told = result.stdout + result.stderr
    assert "Would sync 2 run(s)" in told
    for file in (trained / RUN).glob("*/wandb/offline-run-*/*.wandb"):
        assert file.name in told


def test_one_run_has_the_id_and_the_folder_that_it_is_given_and_what_is_typed_wins(trained):
    there = trained / "there"
    there.mkdir()
    succeed(
        trained,
        "offline_world/cont_ensemble.py",
        *(*WORLD, "ensemble.total_epochs=1", "ensemble.save_dir=named", "run_dir=named_run"),
        *("wandb.project=typed", "wandb.group=block 2", "wandb.entity=they"),
        **WANDB | {"WANDB_MODE": "offline", "WANDB_RUN_ID": "abc123", "WANDB_DIR": str(there)},
    )
    told, _ = stored(there / "wandb")
    assert (told.project, told.run_group, told.entity) == ("typed", "block 2", "they")
    assert (told.run_id, told.display_name) == ("abc123", WANDB["WANDB_NAME"])
    assert (trained / "named_run/wandb_id.txt").read_text() == "abc123\n"
    assert not (trained / "named_run/wandb").exists()


def test_what_wandb_means_otherwise_is_told_in_a_sentence(tmp_path):
    jobs = run(
        tmp_path,
        *("offline_cont.py", "-m", *AGENT, "seed=0,1"),
        **{"WANDB_MODE": "offline", "WANDB_RUN_ID": "abc123"},
    )
    assert jobs.returncode == 2
    sentences = [line for line in jobs.stderr.splitlines() if line.startswith("error: ")]
    assert len(sentences) == 2 + 1 and "Traceback" not in jobs.stderr
    for told in sentences:
        assert "WANDB_RUN_ID names one run, but this command starts several" in told
    assert not (tmp_path / "runs/offline_cont").exists()

    sentence = fail(tmp_path, "offline_cont.py", *AGENT, "--train.utd=0.125")
    assert sentence == (
        "--train.utd is no option: settings have no hyphens, as in train.utd=<value>; let the"
        " command of a wandb sweep end with ${args_no_hyphens} instead of ${args}"
    )
