"""Keep of an agent's run what results/ needs: one row of metrics for each evaluation.

    python results/thin.py runs/.../default/seed* --out results/loco

Each run becomes <out>/<setting>_<seed> (or as --name says) with config.yaml and metrics.jsonl. A
row has the evaluation and the latest value of every other figure, so that score, planning horizon
and Q-values stand side by side; plot_results.py reads the folders as it reads runs.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from harness.files import write_text
from harness.log import metrics
from harness.log.metrics_file import read_rows
from harness.process.flags import Flags
from harness.process.reporting import reported_errors
from harness.run import layout


def thinned(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The evaluations, each with the last value before it of what else was logged."""
    kept, latest = [], {}
    # the row of an evaluation beside training comes after those of later steps
    for row in sorted(rows, key=lambda row: row[metrics.STEP]):
        latest |= row
        if metrics.EVALUATE_SECONDS in row:
            kept.append(dict(latest))
    return kept


def main() -> None:
    parser = Flags(__doc__)
    parser.add_argument("runs", nargs="+", type=Path, help="run directories")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--name", help="of the copy, for a single run")
    options = parser.parse_args()
    for run in options.runs:
        folder = options.out / (
            options.name or f"{run.parent.name}_{run.name.removeprefix('seed')}"
        )
        rows = thinned(read_rows(run / layout.METRICS))
        text = "".join(json.dumps(row) + "\n" for row in rows)
        write_text(folder / layout.METRICS, text)
        shutil.copy(run / layout.CONFIG, folder)
        print(f"{folder}: {len(rows)} evaluations")


if __name__ == "__main__":
    with reported_errors():
        main()
