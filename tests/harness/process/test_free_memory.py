"""What a container's limits leave, and what a card has left."""

from unittest.mock import Mock

import pytest

from harness.process.free_memory import _group_left, free_device_bytes

MIB = 2**20
NVIDIA_SMI = """#!/bin/sh
echo '0, GPU-11111111-aaaa, 100'
echo '1, GPU-22222222-bbbb, 2000'
echo '2, GPU-33333333-cccc, [N/A]'
"""


@pytest.fixture
def nvidia_smi(tmp_path, monkeypatch):
    """The folder of a stub, with 100 MiB free on the first card, 2000 on the second."""
    program = tmp_path / "nvidia-smi"
    program.write_text(NVIDIA_SMI)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return program


def card(statistics=None, number=0):
    return Mock(platform="gpu", memory_stats=lambda: statistics, local_hardware_id=number)


@pytest.mark.parametrize(
    ("visible", "number", "mebibytes"),
    [
        *[(None, 0, 100), (None, 1, 2000), (None, 2, None), (None, 3, None)],
        *[("1", 0, 2000), ("1,0", 1, 100), ("GPU-2222", 0, 2000), ("", 0, None)],
        ("MIG-33333333", 0, None),
    ],
)
def test_the_card_is_the_one_that_cuda_shows(nvidia_smi, monkeypatch, visible, number, mebibytes):
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    expected = None if mebibytes is None else mebibytes * MIB
    assert free_device_bytes(card(number=number)) == expected


@pytest.mark.parametrize(
    ("pool", "in_use", "left"),
    [
        (900, 300, 600),  # all that JAX may take is reserved: nobody else can take it
        (400, 300, 200),  # 100 reserved, 100 free on the card
        (None, 300, 600),
    ],
)
def test_what_other_processes_took_of_the_card_is_not_free(nvidia_smi, pool, in_use, left):
    statistics = {"bytes_limit": 900 * MIB, "bytes_in_use": in_use * MIB}
    if pool is not None:
        statistics["pool_bytes"] = pool * MIB
    assert free_device_bytes(card(statistics)) == left * MIB


@pytest.mark.parametrize("program", ["exit 9", "echo nonsense"])
def test_a_driver_that_says_nothing_of_use_is_as_none(nvidia_smi, program):
    nvidia_smi.write_text(f"#!/bin/sh\n{program}\n")
    assert free_device_bytes(card()) is None
    nvidia_smi.unlink()
    assert free_device_bytes(card()) is None


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
