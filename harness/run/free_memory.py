"""The memory that may still be taken, in bytes: of a device, and of the host."""

from pathlib import Path
from typing import Any


def free_device_bytes(device: Any) -> int:
    """What the accelerator still has; a CPU device has the host's."""
    statistics = device.memory_stats() if device.platform != "cpu" else None
    if not statistics or "bytes_limit" not in statistics:
        return free_host_bytes()
    return statistics["bytes_limit"] - statistics["bytes_in_use"]


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
