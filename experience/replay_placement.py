"""Where the replay lives: on the accelerator if it fits there, else in the host's memory."""

import gc
from pathlib import Path

import equinox as eqx
import jax

from experience.replay import TapeReplay, replay_bytes
from harness.errors import UserError

#: Share of the free memory that a replay may take; the rest is for networks and workspace.
MOST_OF_FREE = 0.8


def place_replay(
    setting: str, capacity: int, state_dim: int, action_dim: int, *, longest: int, at_once: int
) -> tuple[TapeReplay, bool]:
    """An empty replay, and whether it lives on the device that trains.

    `setting` is `train.replay`; `longest` the rows of the longest episode; `at_once` the episodes
    of one collection. Says its size before it allocates. Raises UserError where it does not fit.
    """
    if longest > capacity:
        raise UserError(
            f"train.buffer_size={capacity} is shorter than one episode of {longest} rows: give at"
            f" least train.buffer_size={longest}"
        )
    # The replay of a sweep's last job may still wait in a reference cycle.
    gc.collect()
    size = replay_bytes(capacity, state_dim, action_dim)
    device = jax.local_devices()[0]
    free = {"device": _free_device_bytes(device), "host": _free_host_bytes()}
    where = setting
    if setting == "auto":
        where = "device" if size <= MOST_OF_FREE * free["device"] else "host"
    print(
        f"replay: {capacity:,} rows, {size:,} bytes ({size / 2**30:.2f} GiB) on the {where}"
        f" ({free[where] / 2**30:.1f} GiB free)",
        flush=True,
    )
    if size > MOST_OF_FREE * free[where]:
        elsewhere = (
            "train.replay=host keeps it in the host's memory, or give a smaller train.buffer_size"
            if where == "device" and device.platform != "cpu"
            else "give a smaller train.buffer_size"
        )
        raise UserError(
            f"a replay of train.buffer_size={capacity} rows needs {size:,} bytes, but of the"
            f" {free[where]:,} free bytes of the {where} at most {MOST_OF_FREE:.0%} may be used:"
            f" {elsewhere}"
        )
    target = device if where == "device" else jax.local_devices(backend="cpu")[0]
    with jax.default_device(target):
        make = eqx.filter_jit(lambda: TapeReplay.empty(capacity, state_dim, action_dim, at_once))
        return make(), where == "device"


def _free_device_bytes(device: jax.Device) -> int:
    statistics = device.memory_stats() if device.platform != "cpu" else None
    if not statistics or "bytes_limit" not in statistics:
        return _free_host_bytes()
    return statistics["bytes_limit"] - statistics["bytes_in_use"]


def _free_host_bytes() -> int:
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
        statistics = dict(line.split() for line in (folder / "memory.stat").open())
    except (OSError, ValueError):
        return float("inf")
    if limit == "max":
        return float("inf")
    # the page cache counts as used, but is given back when memory is short
    return float(int(limit) - int(used) + int(statistics.get("inactive_file", 0)))
