"""metrics.jsonl: one JSON object per logged row, whole lines only."""

import errno
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from harness.errors import UserError
from harness.files import disk_errors, write_text
from harness.log.metrics import LOST, STEP
from harness.log.old_names import todays
from harness.log.sink import Sink


class MetricsFile(Sink):
    """Appends rows to metrics.jsonl, each on disk before the next."""

    def __init__(self, path: Path, resume_rows: int | None):
        """Keeps the first `resume_rows` rows (none if None): the run writes the others again.

        Where some of those are gone or unreadable, which is said, rows marked as lost stand for
        them.
        """
        self._path = path
        kept = _first_rows(path, resume_rows) if resume_rows else []
        write_text(path, "".join(json.dumps(row) + "\n" for row in kept))
        self._file: TextIO = path.open("a", encoding="utf-8")

    def log(self, step: int, metrics: Mapping[str, Any]) -> None:
        """Raises LostDirectoryError if the file is not there any more: the system would take the
        row all the same."""
        row = {STEP: int(step)} | {name: _number(value) for name, value in metrics.items()}
        with disk_errors(self._path):
            if not os.path.samestat(os.stat(self._path), os.fstat(self._file.fileno())):
                raise FileNotFoundError(errno.ENOENT, "replaced by another file")
            self._file.write(json.dumps(row) + "\n")
            self._file.flush()

    def close(self, exit_code: int = 0) -> None:
        self._file.close()


def _first_rows(path: Path, count: int) -> list[dict[str, Any]]:
    lines = path.read_bytes().splitlines(keepends=True) if path.is_file() else []
    rows, lost = [], 0
    for number in range(count):
        try:
            row = _row(lines[number].decode() if number < len(lines) else "")
        except ValueError:
            row, lost = {STEP: rows[-1][STEP] if rows else 0, LOST: True}, lost + 1
        rows.append(row)
    if lost:
        print(
            f"note: {lost} of the {count} rows that {path} had when the checkpoint was saved are"
            f" gone or unreadable: rows with {LOST!r} stand for them",
            flush=True,
        )
    return rows


def read_rows(path: Path) -> list[dict[str, Any]]:
    """All rows of metrics.jsonl; a torn last line is no row. Raises UserError.

    Values that were not finite are None; names of earlier versions are today's.
    """
    rows = []
    lines = path.read_bytes().splitlines(keepends=True)
    for number, line in enumerate(lines, start=1):
        if not line.endswith(b"\n"):
            break
        try:
            rows.append(_row(line.decode()))
        except ValueError as error:
            raise UserError(f"line {number} of {path} {error}") from error
    return rows


def _row(line: str) -> dict[str, Any]:
    """A line as a row; ValueError with what it is instead."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is not JSON: {error}") from error
    if not isinstance(row, dict) or not isinstance(row.get(STEP), int):
        raise ValueError(f"is not a row of metrics: it has no {STEP!r}")
    return {todays(name): value for name, value in row.items()}


def _number(value: Any) -> float | int | None:
    """A Python number of a Python, NumPy or JAX scalar; None for what JSON has no number for."""
    number = value if isinstance(value, int | float) else value.item()
    return number if math.isfinite(number) else None
