"""Tables and figures of run directories whose numbers are known."""

import csv
import json

import numpy as np
import pytest

from figures import curves as plot_curves
from figures.curves import on_grid, plot_learning, plot_sweep
from figures.run_records import find_runs
from figures.settings import in_order, settings
from figures.tables import ALL_DATASETS, latex, markdown, table_rows, write_tables
from harness.errors import UserError
from harness.log import metrics

QUANTILE = "collect.unc_quantile"


def write_run(folder, dataset, seed, quantile, scores, *, finished=True, rate="critic_enc_lr"):
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(
        f"dataset_name: {dataset}\nseed: {seed}\nensemble: {{has_ln: true}}\n"
        f"collect: {{unc_quantile: {quantile}, penalty_coef: 0.0}}\ntrain: {{{rate}: 1.0e-05}}\n"
    )
    rows = []
    for index, score in enumerate(scores):
        step = 100 * index
        first = None if score is None else score / 2
        rows.append({metrics.STEP: step, metrics.SCORE: score, metrics.SCORE_FIRST: first})
        rows.append({metrics.STEP: step, metrics.HORIZON_MEAN: 10 * quantile + index})
        rows.append({metrics.STEP: step + 50, metrics.Q_REAL: -float(index)})
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    if finished:
        (folder / "finished.json").write_text("{}")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two datasets; on the first, quantile 0.9 has four seeds and 1.0 two, of which one goes on."""
    root = tmp_path_factory.mktemp("runs")
    # twelve evaluations: the last ten are all but the two zeros, one is in the last tenth
    for seed, score in enumerate((0.0, 0.1, 0.2, 1.0)):
        scores = [0, 0] + [0.5] * 9 + [score]
        write_run(root / f"a/0.9/seed{seed}", "a-v0", seed, 0.9, scores)
    write_run(root / "a/1.0/seed0", "a-v0", 0, 1.0, [0.0, 0.3])
    write_run(root / "a/1.0/seed1", "a-v0", 1, 1.0, [0.0, 0.9], finished=False)
    for seed in (1, 2):
        write_run(root / f"b/0.9/seed{seed}", "b-v0", seed, 0.9, [0.4 * seed])
    # a world model's metrics are no agent's
    (root / "world").mkdir()
    (root / "world/metrics.jsonl").write_text('{"step": 1, "train/nll": 0.5}\n')
    (root / "world/config.yaml").write_text("dataset_name: a-v0\nseed: 0\n")
    return root


@pytest.fixture(scope="module")
def found(runs):
    records = find_runs([str(runs)], metrics.SCORE)
    return records, settings(records, [QUANTILE])


def test_only_finished_agents_are_taken_unless_asked_for(runs, found, capsys):
    assert len(found[0]) == 7
    assert len(find_runs([f"{runs}/*", f"{runs}/a/**"], metrics.SCORE, unfinished=True)) == 8
    assert capsys.readouterr().out == ""
    assert len(find_runs([f"{runs}/a/1.0/*"], metrics.SCORE)) == 1
    assert "seed1 is unfinished: take it in with --unfinished\n" in capsys.readouterr().out
    with pytest.raises(UserError, match=f"no finished run with {metrics.SCORE} is at .*nowhere"):
        find_runs([f"{runs}/nowhere"], metrics.SCORE)


def test_a_copy_without_finished_json_is_finished_by_its_metrics(tmp_path):
    write_run(tmp_path / "kept", "a-v0", 0, 0.9, [0.0, 0.5], finished=False)
    config = tmp_path / "kept/config.yaml"
    config.write_text(config.read_text().replace("train: {", "train: {grad_steps: 150, "))
    assert find_runs([str(tmp_path)], metrics.SCORE)[0].finished


def test_what_cannot_be_read_is_left_out_with_the_reason(tmp_path, capsys):
    for name in ("whole", "torn", "nameless", "null"):
        write_run(tmp_path / name, "a-v0", 0, 0.9, [None if name == "null" else 0.5])
    (tmp_path / "torn/metrics.jsonl").write_text('{"step": 1}\n{"step"\n{"step": 2}\n')
    (tmp_path / "nameless/config.yaml").write_text("seed: 0\n")
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare/metrics.jsonl").touch()
    (record,) = find_runs([str(tmp_path)], metrics.SCORE)
    assert record.path == tmp_path / "whole"
    bare, nameless, null, torn = capsys.readouterr().out.splitlines()
    assert "bare has metrics.jsonl but no config.yaml" in bare
    assert "nameless/config.yaml has no dataset_name" in nameless
    assert f"null has no finite value of {metrics.SCORE}" in null
    assert "line 2 of" in torn and "is not JSON" in torn


def test_settings_are_what_runs_of_a_dataset_differ_in(runs, found, tmp_path):
    records, names = found
    assert settings(records, None) == names
    assert set(names) == {f"{QUANTILE}=0.9", f"{QUANTILE}=1.0"}
    # b-v0 alone does not vary
    assert set(settings(find_runs([f"{runs}/b"], metrics.SCORE), None)) == {"recurrent"}
    with pytest.raises(UserError, match="has no key 'collect.quantile'"):
        settings(records, ["collect.quantile"])
    words = (
        r"0\.9/seed0 and .*1\.0/seed0 differ in collect\.unc_quantile \(0\.9 and 1\.0\): .*--by "
    )
    with pytest.raises(UserError, match=f"{words}{QUANTILE}$"):
        settings(records, ["collect.penalty_coef"])
    with pytest.raises(UserError, match="both are seed 0 of recurrent: give one of them"):
        settings([records[0], records[0]], None)

    write_run(tmp_path / "markov", "b-v0", 1, 0.9, [0.1], rate="critic_lr")
    both = find_runs([f"{runs}/b", str(tmp_path)], metrics.SCORE)
    assert sorted(settings(both, None)) == ["Markov", "recurrent", "recurrent"]


def test_a_key_that_another_determines_makes_no_setting(tmp_path):
    for rate in (1, 2):
        folder = tmp_path / str(rate)
        write_run(folder, "a-v0", 0, 0.9, [0.1])
        config = (folder / "config.yaml").read_text()
        tied = f"critic_enc_lr: {rate}, actor_enc_lr: {rate}"
        (folder / "config.yaml").write_text(config.replace("critic_enc_lr: 1.0e-05", tied))
    names = settings(find_runs([str(tmp_path)], metrics.SCORE), None)
    assert names == ["train.critic_enc_lr=1", "train.critic_enc_lr=2"]


def changed_runs(root, *changes):
    """Runs of a seed each, with a line of configuration and a folder of their command."""
    for seed, (line, folder) in enumerate(changes):
        write_run(root / f"run{seed}", "a-v0", seed, 0.9, [0.1])
        config = root / f"run{seed}/config.yaml"
        config.write_text(config.read_text() + line.format(seed=seed) + "\n")
        (root / f"run{seed}/environment.json").write_text(json.dumps({"folder": folder}))
    return find_runs([str(root)], metrics.SCORE)


@pytest.mark.parametrize(
    ("key", "lines"),
    [
        ("load_agent_path", ("load_agent_path: null", "load_agent_path: a/seed{seed}/agent")),
        ("env.horizon", ("env: {{horizon: 200}}", "env: {{horizon: 100}}")),
        ("env.kwargs.g", ("env: {{kwargs: {{g: 9}}}}", "env: {{kwargs: {{g: 10}}}}")),
        ("env.kwargs.h", ("env: {{kwargs: {{}}}}", "env: {{kwargs: {{h: 1}}}}")),
        ("ensemble.save_dir", ("ensemble.save_dir: a", "ensemble.save_dir: b")),
        ("ensemble.total_epochs", ("ensemble.total_epochs: 9", "ensemble.total_epochs: 10")),
        ("engine", ("engine: mujoco", "engine: mujoco_py")),
    ],
)
def test_seeds_of_different_settings_are_not_averaged(key, lines, tmp_path):
    records = changed_runs(tmp_path, *((line, "/a") for line in lines))
    assert len(set(settings(records, None))) == 2
    words = rf"run0 and .*run1 differ in {key} \(.* and .*\): give the runs of one value, or add"
    with pytest.raises(UserError, match=f"{words} --by {key}$"):
        settings(records, [QUANTILE])
    assert len(set(settings(records, [QUANTILE, key]))) == 2


@pytest.mark.parametrize(
    "line",
    [
        # each in the folder of its own checkout, or of its own seed; or all in one seed's
        "load_agent_path: {folder}/runs/a=1,b=2/agent",
        "load_agent_path: runs/a/seed{{seed}}/agent",
        "load_agent_path: runs/a/seed1/agent",
        "env: {{{{termination: '{folder}/rules.py:fallen'}}}}",
        "run_dir: {folder}/runs/seed{{seed}}",
        "collect.save_dir: ckpt{{seed}}",
    ],
)
def test_a_moved_checkout_and_a_seed_s_own_folder_make_no_setting(line, tmp_path):
    changes = ((line.format(folder=folder), folder) for folder in ("/old", "/new/place", "/old"))
    records = changed_runs(tmp_path, *changes)
    for keys in (None, [QUANTILE]):
        assert len(set(settings(records, keys))) == 1


def test_settings_are_ordered_as_numbers():
    names = ["k=10.0", "k=9", "k=0.5", "k=9"]
    assert in_order(names) == ["k=0.5", "k=9", "k=10.0"]


def test_the_table_has_the_right_numbers(found, tmp_path):
    records, names = found
    paths = write_tables(records, names, metrics.SCORE, tmp_path)
    assert [path.name for path in paths] == ["scores.md", "scores.tex", "scores.csv", "seeds.csv"]
    with (tmp_path / "scores.csv").open() as file:
        rows = {(row["dataset"], row["setting"]): row for row in csv.DictReader(file)}
    assert len(rows) == 4

    row = rows["a-v0", f"{QUANTILE}=0.9"]
    last = 100 * np.array([0.0, 0.1, 0.2, 1.0])
    last_ten = (9 * 50 + last) / 10
    assert row["seeds"] == "4"
    assert float(row["last_mean"]) == float(row["last_tenth_mean"]) == pytest.approx(last.mean())
    assert float(row["last_std"]) == float(row["last_tenth_std"])
    assert float(row["last_std"]) == pytest.approx(np.std(last, ddof=1))
    assert float(row["last_ten_mean"]) == pytest.approx(last_ten.mean())
    assert float(row["last_ten_std"]) == pytest.approx(np.std(last_ten, ddof=1))
    # a quarter of four seeds is trimmed at either end
    assert float(row["iqm"]) == pytest.approx(last[1:3].mean())
    low, high = float(row["iqm_low"]), float(row["iqm_high"])
    assert last[0] <= low < last[1:3].mean() < high <= last[3]

    # one finished seed: no deviation and no interval
    assert rows["a-v0", f"{QUANTILE}=1.0"]["last_std"] == "nan"
    text = (tmp_path / "scores.md").read_text()
    assert f"| a-v0 | {QUANTILE}=1.0 | 1 | 30.0 | 15.0 | 30.0 | 30.0 |" in text
    assert f"| b-v0 | {QUANTILE}=0.9 | 2 | {3 * '60.0 ± 28.3 | '}60.0 [" in text

    with (tmp_path / "seeds.csv").open() as file:
        seeds = list(csv.DictReader(file))
    assert len(seeds) == 7
    assert float(seeds[3]["last_ten"]) == pytest.approx(55)
    assert float(seeds[3]["last_tenth"]) == pytest.approx(100)
    assert {seed["finished"] for seed in seeds} == {"True"}


def test_datasets_are_pooled_over_the_seeds_that_they_share(found):
    records, names = found
    pooled = [
        row for row in table_rows(records, names, metrics.SCORE) if row.dataset == ALL_DATASETS
    ]
    (row,) = pooled
    assert row.setting == f"{QUANTILE}=0.9"
    np.testing.assert_allclose(row.scores["last"], [[10, 40], [20, 80]])


def test_scores_of_the_other_protocol(found):
    records, names = found
    row = table_rows(records, names, metrics.SCORE_FIRST)[0]
    np.testing.assert_allclose(row.scores["last"], [[0], [5], [10], [50]])


def test_tables_escape_what_would_be_read():
    text = latex([["a_b", "50 %", "3", "1 ± 2", r"\&#$", "{~^}", "x"]])
    escaped = r"\textbackslash{}\&\#\$ & \{\textasciitilde{}\textasciicircum{}\} & x \\"
    assert rf"a\_b & 50 \% & 3 & 1 $\pm$ 2 & {escaped}" in text
    assert text.startswith(r"\begin{tabular}{llrrrrr}")
    assert r"| a\|b | c |" in markdown([["a|b", "c"]])


def test_curves_are_put_on_common_steps(found):
    records, _ = found
    grid, curves = on_grid(records[:2], metrics.SCORE)
    assert grid[0] == 0 and grid[-1] == 1100
    np.testing.assert_allclose(curves[:, -1], [0, 10])
    np.testing.assert_allclose(np.interp(150, grid, curves[1]), 25, atol=0.5)


def test_young_runs_do_not_shorten_the_curve_of_their_setting(tmp_path):
    for seed, count in enumerate((12, 11, 3, 1)):
        write_run(tmp_path / f"{seed}", "a-v0", seed, 0.9, [0.5] * count, finished=False)
    records = find_runs([str(tmp_path)], metrics.SCORE, unfinished=True)
    grid, curves = on_grid(records, metrics.SCORE)
    assert grid[-1] == 1000 and len(curves) == 2
    assert on_grid(records[3:], metrics.SCORE)[0].size == 0
    # a run with its first evaluation only is drawn by its end
    names = settings(records[3:], None)
    paths = plot_sweep(records[3:], names, metrics.SCORE, tmp_path / "out")
    with np.load(paths[-1]) as arrays:
        np.testing.assert_allclose(arrays[f"end of {metrics.SCORE}: recurrent"], [50])


def test_panels_of_ends_tell_all_keys_and_magnify_nothing(tmp_path, monkeypatch):
    for number, score in enumerate((0.97, 0.970003)):
        write_run(tmp_path / str(number), "a-v0", 0, 0.9 + number / 100, [0.1, score])
        config = tmp_path / f"{number}/config.yaml"
        config.write_text(config.read_text().replace("f: 0.0", f"f: {number}"))
    records = find_runs([str(tmp_path)], metrics.SCORE)
    drawn = []
    monkeypatch.setattr(plot_curves, "save_figure", lambda figure, *_: drawn.append(figure) or [])
    plot_sweep(records, settings(records, None), metrics.SCORE, tmp_path)
    ax = drawn[0].axes[3]
    assert ax.get_xlabel() == "collect.unc_quantile\ncollect.penalty_coef"
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0.9\n0", "0.91\n1"]
    low, high = ax.get_ylim()
    assert low < 97 < high and high - low > 1
    drawn[0].draw_without_rendering()
    assert ax.yaxis.get_offset_text().get_text() == ""


def test_a_path_with_the_sign_is_one_value():
    part = "load_agent_path=runs/a=1,b=2/agent"
    assert plot_curves._key_and_value(part) == ("load_agent_path", "runs/a=1,b=2/agent")
    assert plot_curves._key_and_value("Markov") == ("", "Markov")


def test_a_user_s_dataset_makes_a_file_name(tmp_path):
    write_run(tmp_path / "run", "my/data $x_ v0", 0, 0.9, [0.1, 0.2])
    records = find_runs([str(tmp_path)], metrics.SCORE)
    paths = plot_sweep(records, settings(records, None), metrics.SCORE, tmp_path)
    assert paths[0] == tmp_path / "sweep_my_data__x__v0.pdf"


def test_figures_are_drawn_with_their_arrays(found, tmp_path):
    records, names = found
    paths = plot_learning(records, names, metrics.SCORE, tmp_path)
    paths += plot_sweep(records, names, metrics.SCORE, tmp_path)
    assert {path.name for path in paths} == {
        f"{name}.{kind}"
        for name in ("learning_curves", "sweep_a-v0", "sweep_b-v0")
        for kind in ("pdf", "png", "npz")
    }
    for path in paths:
        head = path.read_bytes()[:4]
        assert head == {".pdf": b"%PDF", ".png": b"\x89PNG", ".npz": b"PK\x03\x04"}[path.suffix]
    with np.load(tmp_path / "learning_curves.npz") as arrays:
        grid, mean, low, high = arrays[f"a-v0: {QUANTILE}=0.9"]
    at_500 = np.argmin(np.abs(grid - 500))
    assert mean[at_500] == pytest.approx(50)
    assert mean[-1] == pytest.approx(32.5) and 0 <= low[-1] < mean[-1] < high[-1] <= 100
    with np.load(tmp_path / "sweep_a-v0.npz") as arrays:
        horizon = arrays[f"end of {metrics.HORIZON_MEAN}: {QUANTILE}=0.9"]
    # the last tenth of 1150 steps has only the evaluation at 1100
    np.testing.assert_allclose(horizon, np.full(4, 9 + 11))
