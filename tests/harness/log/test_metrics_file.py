"""metrics.jsonl when things go wrong: rows that are gone, and a file that is not there any more."""

import json
import shutil
import subprocess
from contextlib import closing

import pytest

from harness.errors import LostDirectoryError
from harness.log.metrics_file import MetricsFile, read_rows


def write(path, count):
    file = MetricsFile(path, None)
    for step in range(count):
        file.log(10 * step, {"score": step})
    return file


@pytest.mark.parametrize(
    ("damage", "lost"),
    [
        (lambda lines: lines[:6], 4),
        (lambda lines: [], 10),
        (lambda lines: [*lines[:2], b"{oops}\n", b"\xff\xfe\n", *lines[4:]], 2),
        (lambda lines: [*lines[:9], lines[9][:-4]], 1),
        (lambda lines: [*lines[:3], b"[" * 100_000 + b"\n", *lines[4:]], 1),
    ],
)
def test_lost_rows_are_told_and_marked_and_later_ones_keep_their_places(
    tmp_path, capsys, damage, lost
):
    path = tmp_path / "metrics.jsonl"
    write(path, 10).close()
    path.write_bytes(b"".join(damage(path.read_bytes().splitlines(keepends=True))))
    file = MetricsFile(path, 10)
    assert f"note: {lost} of the 10 rows" in capsys.readouterr().out
    file.log(100, {"score": 10})
    file.close()
    rows = read_rows(path)
    assert len(rows) == 11 and rows[10] == {"step": 100, "score": 10}
    assert sum("lost" in row for row in rows) == lost
    assert all(row.get("score", i) == i for i, row in enumerate(rows))
    assert [row["step"] for row in rows] == sorted(row["step"] for row in rows)


def test_a_whole_file_is_continued_in_silence(tmp_path, capsys):
    path = tmp_path / "metrics.jsonl"
    write(path, 10).close()
    MetricsFile(path, 7).close()
    assert len(read_rows(path)) == 7 and capsys.readouterr().out == ""


def test_a_file_that_is_gone_or_another_is_noticed_at_the_next_row(tmp_path):
    path = tmp_path / "run/metrics.jsonl"
    with closing(write(path, 1)) as file:
        shutil.rmtree(path.parent)
        with pytest.raises(LostDirectoryError, match="run/metrics.jsonl could not be written"):
            file.log(10, {})
    with closing(write(path, 1)) as file:
        path.unlink()
        path.write_text(json.dumps({"step": 0}) + "\n")
        with pytest.raises(LostDirectoryError, match="replaced by another"):
            file.log(10, {})


def test_a_file_system_that_has_become_read_only(tmp_path):
    mount = ["mount", "-t", "tmpfs", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this machine does not allow mounts")
    try:
        write(tmp_path / "metrics.jsonl", 1).close()
        subprocess.run(["mount", "-o", "remount,ro", str(tmp_path)], check=True)
        with pytest.raises(LostDirectoryError, match="Read-only file system"):
            MetricsFile(tmp_path / "metrics.jsonl", 1)
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
