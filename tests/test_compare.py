"""results/loco/compare.py tells each setting's seeds in one line."""

import json
import runpy
import sys

from harness.checkout import ROOT
from harness.log import metrics
from harness.log.metrics_file import MetricsFile

SCRIPT = ROOT / "results/loco/compare.py"


def keep(folder, seed: int, score: float, over: float | None) -> None:
    folder.mkdir(parents=True)
    settings = f"dataset_name: x\nseed: {seed}\ntrain:\n  grad_steps: 100\n"
    (folder / "config.yaml").write_text(settings)
    file = MetricsFile(folder / "metrics.jsonl", None)
    for step in (0, 95, 100):
        # only the last tenth counts
        row = {metrics.SCORE: score if step else 9.0, metrics.HORIZON_Q50: 2 * step}
        file.log(step, row)
    file.close()
    if over is not None:
        # one run was followed in its world model too
        numbers = {"q": 3 + over, "promised": 3.0, "overestimation": over}
        numbers |= {"of_model": over - 1} if seed else {}
        values = {name: {"mean": value} for name, value in numbers.items()}
        (folder / "values.json").write_text(json.dumps(values))


def told(folder, monkeypatch, capsys, *flags: str) -> list[str]:
    monkeypatch.setattr(sys, "argv", ["compare.py", str(folder), *flags])
    monkeypatch.setattr(sys, "path", list(sys.path))
    runpy.run_path(str(SCRIPT), run_name="__main__")
    return capsys.readouterr().out.strip().split("\n")


def test_means_and_intervals_over_seeds(tmp_path, monkeypatch, capsys):
    keep(tmp_path / "base_0", 0, 0.1, 1.0)
    keep(tmp_path / "base_1", 1, 0.3, 5.0)
    keep(tmp_path / "max_rollout_len=5_0", 0, 0.25, None)
    _, _, base, short = told(tmp_path, monkeypatch, capsys)
    assert (
        base
        == "| base | 0, 1 | 20 [10, 30] | 195 [195, 195] | 6 [4, 8] | 3 [3, 3] | 3 [1, 5] | 4 |"
    )
    assert short == "| max_rollout_len=5 | 0 | 25 | 195 |  |  |  |  |"


def test_baselines_of_the_same_dataset(tmp_path, monkeypatch, capsys):
    keep(tmp_path / "x" / "base_0", 0, 0.1, None)
    lines = ["dataset,algorithm,seed,step,train_seconds,score"]
    # seed 1 was trained twice
    for seed, scores in ((0, (0.4, 0.1, 0.2)), (1, (9.0, 9.0, 9.0)), (1, (0.0, 0.0, 0.6))):
        for step, score in zip((10, 9000, 10000), scores, strict=True):
            lines.append(f"x,iql,{seed},{step},{step * 0.06},{score}")
    lines.append("another,iql,2,5,5,5")
    (tmp_path / "baselines.csv").write_text("\n".join(lines))
    line = told(tmp_path / "x", monkeypatch, capsys)[-1]
    assert line == (
        "| iql | 0, 1 | 22.5 [15, 30] | 50 [40, 60] | 10,000 [10,000, 10,000] | 10 [10, 10] |"
    )


def test_baselines_after_so_many_minutes(tmp_path, monkeypatch, capsys):
    keep(tmp_path / "x" / "base_0", 0, 0.1, None)
    lines = ["dataset,algorithm,seed,step,train_seconds,score", "x,behaviour,0,0,0,0.05"]
    # seed 1 was stopped before
    for seed, steps in ((0, (5000, 10000, 15000)), (1, (5000,))):
        for step in steps:
            lines.append(f"x,iql,{seed},{step},{step * 0.06},{step / 1e5}")
    lines.append("x,cql,0,5000,600,0.1")
    (tmp_path / "baselines.csv").write_text("\n".join(lines))
    *_, data, iql = told(tmp_path / "x", monkeypatch, capsys, "--minutes", "11")
    assert data == "| behaviour | 0 | 5 | 5 | 0 | 0 |"
    assert iql == "| iql | 0 | 10 | 10 | 10,000 | 10 |"
    *_, iql, cql = told(tmp_path / "x", monkeypatch, capsys)
    assert iql.startswith("| iql | 0, 1 | 10 [5, 15] |") and cql.startswith("| cql | 0 | 10 |")
