"""The bandit study from its data to its figure, through the command line."""

import json

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from catalogue.uncertainty import epi_mean
from experience.real.bandit_envs import no_history
from figures.bandit import PANELS, PENALTY, best_of, draw_study
from figures.run_records import find_runs
from harness.configuration.composition import load_config
from harness.errors import UserError
from harness.log.metrics_file import read_rows
from offline_world.bandit_dataset import BanditDataset, save_dataset
from offline_world.bandit_task import ARMS, PULLS
from offline_world.bandit_world import BanditWorld, arm_means
from offline_world.checkpoint import load_bandit_ensemble
from online_rl.builders import bandit_agent
from programs import bandit
from programs.bandit_inputs import load_pulls
from tests.cli import programs
from tests.cli.in_process import fail, succeed
from tests.cli.programs import timeless
from tests.logged_names import OURS_BANDIT, PUBLISHED_BANDIT
from tests.offline_world import golden_ensemble

STUDY = ("debug=true", "study.seeds=[0]", "study.penalties=[0,2.5]", "run_dir=study")
SINGLE = ("debug=true", "seed=0", "collect.penalty_coef=2.5", "run_dir=single")


@pytest.fixture(scope="session")
def studied(tmp_path_factory):
    """Data, a reward ensemble, one agent, and a study of two with the same seed."""
    folder = tmp_path_factory.mktemp("bandit")
    succeed(folder, "offline_world/bandit_data.py")
    succeed(folder, "offline_world/bandit_ensemble.py", "--seed", "0", "debug=true")
    programs.succeed(folder, "offline_bandit.py", *SINGLE)
    programs.succeed(folder, "bandit_study.py", *STUDY)
    return folder


def test_ensemble_is_in_the_published_format_with_a_histogram(studied):
    path = studied / "offline_world/ckpt/bandit_debug/ensemble_seed0.eqx"
    header = json.loads(path.read_bytes().partition(b"\n")[0])
    assert header.keys() == {"ensemble_size", "hidden_size", "data"}
    assert (header["ensemble_size"], header["hidden_size"]) == (4, 16)
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


@pytest.fixture(scope="module")
def greedy():
    """(arm) → figures of two episodes in each of three members that know what they say, of an agent
    that pulls nothing but `arm`; and the members' means."""
    config = load_config("offline_bandit", ["debug=true"])
    agent = bandit_agent(config, ARMS)
    learner = eqx.filter_jit(agent.init)(jax.random.key(0))
    ensemble = golden_ensemble.random(3, ARMS, 1, 8, residual=0, depth=2)
    doubt = ensemble.members.log_std_head
    ensemble = eqx.tree_at(
        lambda of: (of.members.log_std_head.weight, of.members.log_std_head.bias),
        ensemble,
        (0 * doubt.weight, 0 * doubt.bias - 50),
    )
    world = BanditWorld(ensemble, jnp.asarray(2.5), PULLS, epi_mean)
    test = eqx.filter_jit(bandit.test_agent)

    def figures(arm):
        preferred = eqx.tree_at(
            lambda of: of.online.head.advantage.bias, learner, 100 * jax.nn.one_hot(arm, ARMS)
        )
        return test(
            agent, preferred, world, no_history(), jax.random.key(1), episodes=2, rollouts=6
        )

    return figures, np.asarray(arm_means(ensemble, ARMS))


@pytest.mark.parametrize("arm", range(ARMS))
def test_greedy_rewards_are_each_members_mean_of_the_preferred_arm(greedy, arm):
    figures, means = greedy
    found = figures(arm)
    # the least standard deviation of a member is e⁻⁵ a pull, so 0.07 in a hundred
    of_arm = 100 * means[:, arm]
    learned = of_arm.mean() - 2.5 * 100 * means[:, arm].std()
    assert np.ptp(100 * means.mean(0)) > 1, "the arms can be told apart"
    np.testing.assert_allclose(found["train_envs_eval/reward"], learned, atol=0.3)
    np.testing.assert_allclose(found["train_envs_eval/reward_std"], of_arm.std(), atol=0.3)
    assert found["train_envs_eval/length"] == PULLS


def test_every_member_gets_as_many_greedy_episodes():
    def counts(members, rollouts):
        overrides = [f"collect.ensemble_size={members}", f"collect.parallel_size={members}"]
        overrides += [f"eval.rollout_episodes={rollouts}", "eval.real_episodes=5"]
        return bandit.episode_counts(load_config("offline_bandit", overrides))

    assert counts(3, 7) == {"episodes": 5, "rollouts": 9}
    assert counts(7, 2) == {"episodes": 5, "rollouts": 7}
    assert counts(5, 10) == {"episodes": 5, "rollouts": 10}


def test_the_published_rows_are_held_out(tmp_path):
    """scikit-learn's train_test_split(test_size=0.2, random_state=42): these of 1000 first."""
    pulls = np.arange(1000)
    arms, rewards = pulls % 2, pulls.astype(np.float32)
    file = tmp_path / "pulls.npz"
    save_dataset(file, BanditDataset(arms.reshape(10, 100), rewards.reshape(10, 100)))
    data = bandit.bandit_data(
        load_pulls(load_config("offline_bandit", [f"collect.data_path={file}"]))
    )
    order = np.random.RandomState(42).permutation(1000)
    assert order[:5].tolist() == [521, 737, 740, 660, 411]
    for rows, expected in ((data.holdout, order[:200]), (data.train, order[200:])):
        one_hot = np.eye(2)[expected % 2]
        np.testing.assert_array_equal(rows, np.column_stack([one_hot, expected]))


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


def test_a_study_is_worth_what_its_agents_are_on_average(studied):
    def finished(name):
        return json.loads((studied / name / "finished.json").read_text())["objective"]

    assert finished("study") == pytest.approx((finished("study/0_0") + finished("study/2.5_0")) / 2)
    rows = read_rows(studied / "single/metrics.jsonl")
    returns = [row["test_envs/reward"] for row in rows if "test_envs/reward" in row]
    assert finished("single") == returns[-1]


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
    succeed(tmp_path, "plot_bandit.py", "*", "--out", str(out))
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
