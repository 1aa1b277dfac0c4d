"""The memory that may still be taken, in bytes: of a device, and of the host."""

import os
import subprocess
from pathlib import Path
from typing import Any


def free_device_bytes(device: Any) -> int | None:
    """What the device still has, None where nothing tells; a CPU device has the host's.

    What JAX has not reserved yet (XLA_PYTHON_CLIENT_PREALLOCATE=false) is there only as far as
    other processes have left it: the card's own word counts too.
    """
    if device.platform == "cpu":
        return free_host_bytes()
    statistics = device.memory_stats() or {}
    on_card = _free_card_bytes(device.local_hardware_id)
    if "bytes_limit" not in statistics:
        return on_card
    used = statistics["bytes_in_use"]
    left = statistics["bytes_limit"] - used
    if on_card is None or "pool_bytes" not in statistics:
        return left
    return min(left, statistics["pool_bytes"] - used + on_card)


def _free_card_bytes(ordinal: int | None) -> int | None:
    """What nvidia-smi says is free on the card that is number `ordinal` in this process.

    nvidia-smi numbers all cards of the machine, in the order of their slots, as CUDA does if they
    are alike or CUDA_DEVICE_ORDER=PCI_BUS_ID; CUDA_VISIBLE_DEVICES says which of them are ours.
    """
    if ordinal is None:
        return None
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    query = ("--query-gpu=index,uuid,memory.free", "--format=csv,noheader,nounits")
    try:
        wanted = str(ordinal) if visible is None else visible.split(",")[ordinal].strip()
        listing = subprocess.run(
            ["nvidia-smi", *query], capture_output=True, text=True, check=True, timeout=20
        ).stdout
        for line in listing.splitlines():
            index, uuid, mebibytes = (part.strip() for part in line.split(","))
            # CUDA takes the beginning of a name, too
            if wanted == index or (wanted.startswith("GPU-") and uuid.startswith(wanted)):
                return int(mebibytes) * 2**20
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None
    return None


def free_host_bytes() -> int:
    """What the kernel says can be had without swapping, within the control group's limit."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, value = line.split(":")
        if name == "MemAvailable":
            return int(min(int(value.split()[0]) * 1024, _free_group_bytes()))
    raise RuntimeError("/proc/meminfo does not say MemAvailable")


def _free_group_bytes() -> float:
    """Memory that the process's control groups still allow (containers, SLURM), ∞ without a limit.

    Version 1 and 2 of the kernel's interface differ in file names only.
    """
    root = Path("/sys/fs/cgroup")
    free = float("inf")
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, group = line.split(":", 2)
        if "memory" in controllers.split(","):
            base, names = root / "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes")
        elif not controllers:
            base, names = root, ("memory.max", "memory.current")
        else:
            continue
        # inside a container the group's path may not be visible, but its root is then its own
        for folder in {base, base / group.lstrip("/")}:
            free = min(free, _group_left(folder, *names))
    return free


def _group_left(folder: Path, limit_name: str, used_name: str) -> float:
    try:
        limit, used = ((folder / name).read_text().strip() for name in (limit_name, used_name))
        statistics = dict(
            line.split() for line in (folder / "memory.stat").read_text().splitlines()
        )
    except (OSError, ValueError):
        return float("inf")
    if limit == "max":
        return float("inf")
    # the page cache counts as used, but is given back when memory is short
    return float(int(limit) - int(used) + int(statistics.get("inactive_file", 0)))
