"""The bandit study from its data to its figure, through the command line."""

import json
import subprocess
import sys

import numpy as np
import pytest

from figures.bandit import PANELS, PENALTY, best_of, draw_study
from figures.run_records import find_runs
from harness.checkout import ROOT
from harness.errors import UserError
from harness.log.metrics_file import read_rows
from offline_world.bandit_world import arm_means
from offline_world.checkpoint import load_bandit_ensemble
from tests.cli.programs import fail, succeed, timeless
from tests.logged_names import OURS_BANDIT, PUBLISHED_BANDIT

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
    header = json.loads(path.read_bytes().partition(b"\n")[0])
    assert header == {"ensemble_size": 4, "hidden_size": 16}
    assert load_bandit_ensemble(path, 2).size == 4
    assert (studied / "plt/bandit_debug/reward_means_seed0.png").stat().st_size > 1000


def test_a_run_evaluates_all_test_bandits(studied):
    rows = read_rows(studied / "single/metrics.jsonl")
    last = [row for row in rows if "test_envs_reward/0.99" in row][-1]
    assert last["step"] == 20 and last["count/progress"] == 1.0
    for pays in ("0.01", "0.15", "0.3", "0.45", "0.55", "0.7", "0.85", "0.99"):
        assert 0 <= last[f"test_envs_reward/{pays}"] <= 100
        assert 0 <= last[f"test_envs_best_arm_rate/{pays}"] <= 1
    assert 1 <= last["agent/stable_rank"] <= 16 and last["agent/feature_norm"] > 0
    sizes = {row.get("train_envs_rollout/data_size") for row in rows} - {None}
    assert sizes == {400}
    assert {name for row in rows for name in row} == PUBLISHED_BANDIT | OURS_BANDIT


def test_greedy_episodes_in_the_reward_ensemble(studied):
    """Two of 100 pulls, of a member each: their rewards are the members' means for an arm."""
    row = read_rows(studied / "single/metrics.jsonl")[0]
    path = studied / "offline_world/ckpt/bandit_debug/ensemble_seed0.eqx"
    means = np.asarray(arm_means(load_bandit_ensemble(path, 2), 2))
    assert row["train_envs_eval/length"] == 100 and row["train_envs_eval/length_std"] == 0
    # penalised by 2.5 times the uncertainty, and as noisy as the members are
    assert 100 * (means.min() - 2.5 * np.ptp(means) - 1) < row["train_envs_eval/reward"]
    assert row["train_envs_eval/reward"] < 100 * (means.max() + 1)
    assert (studied / "single/plots/learning.png").exists()


def test_a_penalty_lowers_imagined_returns(studied):
    def first_return(name):
        rows = read_rows(studied / name / "metrics.jsonl")
        name = "train_envs_rollout/reward"
        return next(row[name] for row in rows if name in row)

    assert first_return("study/2.5_0") < first_return("study/0_0")


def test_together_agents_do_what_they_do_alone(studied):
    alone = timeless(read_rows(studied / "single/metrics.jsonl"))
    together = timeless(read_rows(studied / "study/2.5_0/metrics.jsonl"))
    assert len(alone) == len(together)
    for a, t in zip(alone, together, strict=True):
        assert a.keys() == t.keys()
        for name in a:
            np.testing.assert_allclose(t[name], a[name], rtol=1e-3, atol=1e-4, err_msg=name)


def test_figure_and_table_from_a_folder_of_runs(studied):
    told = succeed(studied, "plot_bandit.py", "study", "--out", "figure")
    names = ("figure3.pdf", "figure3.png", "figure3.npz", "table.md")
    assert told.split() == [f"figure/{name}" for name in names]
    table = (studied / "figure/table.md").read_text().splitlines()
    settings = [f"{PENALTY}=0.0", f"{PENALTY}=2.5"]
    assert [table[row].split(" | ")[0] for row in (4, 5, 9, 10)] == [f"| {s}" for s in 2 * settings]
    name = PANELS["p = 0.99"]
    rows = read_rows(studied / "study/2.5_0/metrics.jsonl")
    returns = [row[name] / 100 for row in rows if name in row]
    assert table[5].split(" | ")[1:4] == ["0", "20", f"{returns[-1]:.3f}"]
    assert table[10].split(" | ")[3] == f"{np.mean(returns[-10:]):.3f}"
    with np.load(studied / "figure/figure3.npz") as arrays:
        steps, mean, _, _ = arrays[f"p = 0.99: {PENALTY}=2.5"]
    assert steps[-1] == 20 and mean[-1] == pytest.approx(returns[-1])


def write_agent(folder, seed, penalty, rate, scale=1.0):
    """A kept run of two evaluations, the second one worth `scale` a pull."""
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(
        f"dataset_name: bandit\nseed: {seed}\nrun_dir: {folder}\n"
        f"collect: {{penalty_coef: {penalty}}}\ntrain: {{enc_lr: {rate}, grad_steps: 10}}\n"
    )
    rows = [{"step": step} | dict.fromkeys(PANELS.values(), 10 * scale * step) for step in (0, 10)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_runs_that_differ_in_another_key_are_not_averaged(tmp_path):
    for seed, rate in enumerate((1e-5, 1e-5, 3e-6)):
        write_agent(tmp_path / f"run{seed}", seed, 0.5, rate, scale=seed / 2)
    runs = find_runs([f"{tmp_path}/run*"], *PANELS.values())
    with pytest.raises(UserError, match=r"run0 and .*run2 differ in train\.enc_lr .*--by train"):
        draw_study(runs, [PENALTY], tmp_path)
    draw_study(runs, ["train.enc_lr"], tmp_path)
    table = (tmp_path / "table.md").read_text()
    assert "| train.enc_lr=3e-06 | 2 | 10 | 1.000 |" in table
    # the sample standard deviation of 0 and 0.5
    assert "| train.enc_lr=1e-05 | 0, 1 | 10 | 0.250 ± 0.354 |" in table
    # without keys of their own, all settings that lie there are told apart
    out = tmp_path / "all"
    command = [sys.executable, str(ROOT / "plot_bandit.py"), f"{tmp_path}/*", "--out", str(out)]
    subprocess.run(command, check=True, capture_output=True)
    table = (out / "table.md").read_text()
    assert "| collect.penalty_coef=0.5, train.enc_lr=3e-06 | 2 |" in table
    assert "| collect.penalty_coef=0.5, train.enc_lr=1e-05 | 0, 1 |" in table
    with pytest.raises(UserError, match="both are seed 0"):
        draw_study([runs[0], runs[0]], [PENALTY], tmp_path)


def test_each_setting_is_shown_with_the_rate_that_ends_best(tmp_path, capsys):
    scales = {(0.0, 3e-6): (0.9, 0.7), (0.0, 1e-5): (1.0, 0.5), (0.5, 3e-6): (0.1, 0.2)}
    # a lucky seed alone is no better rate
    scales[0.5, 1e-6] = (1.0,)
    for (penalty, rate), of_seeds in scales.items():
        for seed, scale in enumerate(of_seeds):
            write_agent(tmp_path / f"{penalty}_{rate}_{seed}", seed, penalty, rate, scale)
    best = best_of(find_runs([str(tmp_path)], *PANELS.values()), [PENALTY], "train.enc_lr")
    names = {record.path.name for record in best}
    assert names == {"0.0_3e-06_0", "0.0_3e-06_1", "0.5_3e-06_0", "0.5_3e-06_1"}
    left_out = "note: collect.penalty_coef=0.5: train.enc_lr=1e-06 has 1 of 2 seeds"
    assert left_out in capsys.readouterr().out
    with pytest.raises(UserError, match="has no key 'train.lr'"):
        best_of(best, [PENALTY], "train.lr")


def test_every_setting_is_drawn(tmp_path):
    for number in range(9):
        write_agent(tmp_path / f"run{number}", 0, number, 1e-5)
    runs = find_runs([str(tmp_path)], *PANELS.values())
    with np.load(draw_study(runs, [PENALTY], tmp_path / "out")[2]) as arrays:
        assert len(arrays) == 9 * len(PANELS)


def test_other_folders_and_returns_that_are_no_numbers_are_told(tmp_path, capsys):
    write_agent(tmp_path / "null", 0, 0.5, 1e-5, scale=float("nan"))
    file = tmp_path / "null/metrics.jsonl"
    file.write_text(file.read_text().replace("NaN", "null"))
    with pytest.raises(UserError, match="no finished run with test_envs_reward/0.99 is at"):
        find_runs([str(tmp_path)], *PANELS.values())
    assert "null has no finite value of test_envs_reward/0.99" in capsys.readouterr().out


@pytest.mark.parametrize(
    "command", [("offline_bandit.py", "seed=7"), ("bandit_study.py", "study.seeds=[0,7]")]
)
def test_missing_ensemble_names_the_command(studied, command):
    sentence = fail(studied, *command, "debug=true")
    assert "offline_world/bandit_ensemble.py --seed 7 debug=true" in sentence


def test_study_needs_different_seeds(studied):
    sentence = fail(studied, "bandit_study.py", "study.seeds=[1,1]")
    assert "study.seeds=[1, 1]" in sentence
