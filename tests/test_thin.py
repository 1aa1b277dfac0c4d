"""results/thin.py keeps what figures need of a run, as plot_results.py reads it."""

import runpy
import sys
from pathlib import Path

from figures.run_records import find_runs
from harness.log import metrics
from harness.log.metrics_file import MetricsFile, read_rows

SCRIPT = Path(__file__).parents[1] / "results/thin.py"


def test_a_row_for_each_evaluation_with_the_latest_figures(tmp_path, monkeypatch):
    run = tmp_path / "default/seed3"
    run.mkdir(parents=True)
    (run / "config.yaml").write_text("dataset_name: x\nseed: 3\n")
    file = MetricsFile(run / "metrics.jsonl", None)
    for step in range(0, 60, 10):
        file.log(step, {metrics.HORIZON_Q50: step + 1, metrics.Q_REAL: step + 2})
        # an evaluation beside training ends late
        if step % 20 == 10:
            row = {metrics.SCORE: (step - 10) / 100, metrics.EVALUATE_SECONDS: 1.0}
            file.log(step - 10, row)
    file.close()

    monkeypatch.setattr(sys, "argv", ["thin.py", str(run), "--out", str(tmp_path / "kept")])
    monkeypatch.setattr(sys, "path", list(sys.path))
    runpy.run_path(str(SCRIPT), run_name="__main__")
    rows = read_rows(tmp_path / "kept/default_3/metrics.jsonl")
    assert [row[metrics.SCORE] for row in rows] == [0.0, 0.2, 0.4]
    assert [row[metrics.HORIZON_Q50] for row in rows] == [1, 21, 41]
    (record,) = find_runs([str(tmp_path / "kept")], metrics.SCORE, unfinished=True)
    assert record.seed == 3
