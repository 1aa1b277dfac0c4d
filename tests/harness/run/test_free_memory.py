"""What a container's limits leave."""

import pytest

from harness.run.free_memory import _group_left


@pytest.mark.parametrize("version", [1, 2])
def test_the_limit_of_a_container_counts(tmp_path, version):
    names = ("memory.max", "memory.current")
    if version == 1:
        names = ("memory.limit_in_bytes", "memory.usage_in_bytes")
    for name, text in zip(
        (*names, "memory.stat"), ("1000", "700", "inactive_file 200\n"), strict=True
    ):
        (tmp_path / name).write_text(text)
    assert _group_left(tmp_path, *names) == 500
    (tmp_path / names[0]).write_text("max\n")
    assert _group_left(tmp_path, *names) == float("inf")
    assert _group_left(tmp_path / "none", *names) == float("inf")
