"""metrics.jsonl: one JSON object per logged row, whole lines only."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from harness.errors import UserError
from harness.files import disk_errors, write_text
from harness.log.metrics import STEP
from harness.log.sink import Sink


class MetricsFile(Sink):
    """Appends rows to metrics.jsonl, each on disk before the next."""

    def __init__(self, path: Path, resume_rows: int | None):
        """Keeps the first `resume_rows` rows (none if None): the run writes the others again."""
        self._path = path
        kept = read_rows(path)[:resume_rows] if resume_rows and path.exists() else []
        write_text(path, "".join(json.dumps(row) + "\n" for row in kept))
        self._file: TextIO = path.open("a", encoding="utf-8")

    def log(self, step: int, metrics: Mapping[str, Any]) -> None:
        row = {STEP: int(step)} | {name: _number(value) for name, value in metrics.items()}
        with disk_errors(self._path):
            self._file.write(json.dumps(row) + "\n")
            self._file.flush()

    def close(self, exit_code: int = 0) -> None:
        self._file.close()


def read_rows(path: Path) -> list[dict[str, Any]]:
    """All rows of metrics.jsonl; a torn last line is no row. Raises UserError.

    Values that were not finite are None.
    """
    rows = []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    for number, line in enumerate(lines, start=1):
        if not line.endswith("\n"):
            break
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise UserError(f"line {number} of {path} is not JSON: {error}") from error
        if not isinstance(row, dict) or not isinstance(row.get(STEP), int):
            raise UserError(f"line {number} of {path} is not a row of metrics: it has no {STEP!r}")
        rows.append(row)
    return rows


def _number(value: Any) -> float | int | None:
    """A Python number of a Python, NumPy or JAX scalar; None for what JSON has no number for."""
    number = value if isinstance(value, int | float) else value.item()
    return number if math.isfinite(number) else None
