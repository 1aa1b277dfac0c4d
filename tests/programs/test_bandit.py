"""The bandit study from its data to its figure, through the command line."""

import json

import numpy as np
import pytest

from harness.errors import UserError
from harness.metrics_file import read_rows
from offline_world.checkpoint import load_bandit_ensemble
from programs.bandit_figure import PANELS, draw_study, read_run
from tests.cli.programs import fail, succeed, timeless

STUDY = ("debug=true", "study.seeds=[0]", "study.penalties=[0,2.5]", "run_dir=study")
SINGLE = ("debug=true", "seed=0", "collect.penalty_coef=2.5", "run_dir=single")


@pytest.fixture(scope="session")
def studied(tmp_path_factory):
    """Data, a reward ensemble, one agent, and a study of two with the same seed."""
    folder = tmp_path_factory.mktemp("bandit")
    succeed(folder, "offline_world/bandit_data.py")
    succeed(folder, "offline_world/bandit_ensemble.py", "--seed", "0", "debug=true")
    succeed(folder, "offline_bandit.py", *SINGLE)
    succeed(folder, "bandit_study.py", *STUDY)
    return folder


def test_ensemble_is_in_the_published_format_with_a_histogram(studied):
    path = studied / "offline_world/ckpt/bandit_debug/ensemble_seed0.eqx"
    header = json.loads(path.open("rb").readline())
    assert header == {"ensemble_size": 4, "hidden_size": 16}
    assert load_bandit_ensemble(path, 2).size == 4
    assert (studied / "plt/bandit_debug/reward_means_seed0.png").stat().st_size > 1000


def test_a_run_evaluates_all_test_bandits(studied):
    rows = read_rows(studied / "single/metrics.jsonl")
    last = [row for row in rows if "test_envs/return_mean" in row][-1]
    assert last["step"] == 20
    for pays in ("0.01", "0.15", "0.3", "0.45", "0.55", "0.7", "0.85", "0.99"):
        assert 0 <= last[f"test_envs/return_mean_p{pays}"] <= 100
        assert 0 <= last[f"test_envs/best_arm_rate_p{pays}"] <= 1
    assert 1 <= last["agent/stable_rank"] <= 16 and last["agent/feature_norm"] > 0
    sizes = [row["train_envs/data_size"] for row in rows if "train_envs/data_size" in row]
    assert set(sizes) == {400}
    assert (studied / "single/plots/learning.png").exists()


def test_a_penalty_lowers_imagined_returns(studied):
    def first_return(name):
        rows = read_rows(studied / name / "metrics.jsonl")
        return next(r["train_envs/return_mean"] for r in rows if "train_envs/return_mean" in r)

    assert first_return("study/2.5_0") < first_return("study/0_0")


def test_together_agents_do_what_they_do_alone(studied):
    alone = timeless(read_rows(studied / "single/metrics.jsonl"))
    together = timeless(read_rows(studied / "study/2.5_0/metrics.jsonl"))
    assert len(alone) == len(together)
    for a, t in zip(alone, together, strict=True):
        assert a.keys() == t.keys()
        for name in a:
            np.testing.assert_allclose(t[name], a[name], rtol=1e-3, atol=1e-4, err_msg=name)


def test_figure_and_table_from_run_directories(studied):
    told = succeed(studied, "plot_bandit.py", "study/0_0", "study/2.5_0", "--out", "figure")
    assert told.split() == ["figure/figure3.png", "figure/table.md"]
    table = (studied / "figure/table.md").read_text().splitlines()
    assert [line.split("|")[1].strip() for line in table[4:]] == ["0", "2.5"]
    last = read_rows(studied / "study/2.5_0/metrics.jsonl")[-1]
    assert f"{last[PANELS['p = 0.99']] / 100:.3f} ± 0.000" in table[-1]


def test_repeated_runs_and_other_folders_are_refused(studied, tmp_path):
    run = read_run(studied / "single")
    with pytest.raises(UserError, match="repeats seed 0"):
        draw_study([run, read_run(studied / "study/2.5_0")], tmp_path)
    with pytest.raises(UserError, match=r"has no config\.yaml"):
        read_run(tmp_path)
    (tmp_path / "config.yaml").write_text("seed: 0\n")
    (tmp_path / "metrics.jsonl").write_text("")
    with pytest.raises(UserError, match="not a bandit run"):
        read_run(tmp_path)


def test_missing_ensemble_names_the_command(studied):
    sentence = fail(studied, "offline_bandit.py", "seed=7", "debug=true")
    assert "offline_world/bandit_ensemble.py --seed 7 debug=true" in sentence


def test_study_needs_different_seeds(studied):
    sentence = fail(studied, "bandit_study.py", "study.seeds=[1,1]")
    assert "study.seeds=[1, 1]" in sentence
