"""Where the replay lives: on the accelerator if it fits there, else in the host's memory."""

import gc
from dataclasses import dataclass, replace

import equinox as eqx
import jax

from experience.replay import TapeReplay, replay_bytes
from harness.errors import UserError
from harness.process.free_memory import free_device_bytes, free_host_bytes

#: Share of the free memory that a replay may take; the rest is for networks and workspace.
MOST_OF_FREE = 0.8
HALF = "bfloat16"


@dataclass(frozen=True, kw_only=True)
class ReplaySize:
    """What is known of a run's replay, or of those of several seeds, before there is one."""

    #: rows
    capacity: int
    state_dim: int
    action_dim: int
    #: rows of the longest episode
    longest: int
    #: `train.replay_dtype`
    dtype: str
    #: replays
    count: int = 1

    @property
    def bytes(self) -> int:
        one = replay_bytes(self.capacity, self.state_dim, self.action_dim, self.dtype)
        return self.count * one

    def __str__(self) -> str:
        rows = f"{self.capacity:,} rows"
        return f"{self.count} × {rows}" if self.count > 1 else rows


@dataclass(frozen=True)
class Place:
    """Where a replay fits."""

    is_on_device: bool
    #: what is known of the free memory there
    room: str


def place_replays(setting: str, size: ReplaySize, *, at_once: int) -> tuple[list[TapeReplay], bool]:
    """Empty replays, and whether they live on the device that trains, as several must.

    `setting` is `train.replay`; `at_once` the episodes of one collection. Says their size before it
    allocates. Raises UserError where they do not fit.
    """
    place = choose_place(setting, size)
    where = "device" if place.is_on_device else "host"
    print(
        f"replay: {size}, {size.bytes:,} bytes ({size.bytes / 2**30:.2f} GiB) on the {where}"
        f" ({place.room})",
        flush=True,
    )
    target = jax.local_devices(backend=None if place.is_on_device else "cpu")[0]
    with jax.default_device(target):
        make = eqx.filter_jit(
            lambda: TapeReplay.empty(
                size.capacity,
                size.state_dim,
                size.action_dim,
                episodes_at_once=at_once,
                dtype=size.dtype,
            )
        )
        return [make() for _ in range(size.count)], place.is_on_device


def choose_place(setting: str, size: ReplaySize) -> Place:
    """By `train.replay` and by what is free.

    Raises UserError where the replays do not fit. What nobody knows the free memory of is used if
    it is asked for, or there is no choice.
    """
    if size.count > 1 and setting == "host":
        raise UserError(
            "train.replay=host is for a single agent, the replays of several live on the device:"
            " leave it out"
        )
    if size.longest > size.capacity:
        raise UserError(
            f"train.buffer_size={size.capacity} is shorter than one episode of {size.longest}"
            f" rows: give at least train.buffer_size={size.longest}"
        )
    # The replay of a sweep's last job may still wait in a reference cycle.
    gc.collect()
    device = jax.local_devices()[0]
    on_device = free_device_bytes(device)
    if setting == "auto":
        fits = on_device is not None and size.bytes <= MOST_OF_FREE * on_device
        is_on_device = fits or size.count > 1
    else:
        is_on_device = setting == "device"
    unknown = "the device's free memory is unknown"
    free = on_device if is_on_device else free_host_bytes()
    if free is None:
        return Place(True, unknown)
    if size.bytes > MOST_OF_FREE * free:
        raise UserError(_too_large(size, free, is_on_device, device.platform))
    room = f"{free / 2**30:.1f} GiB free"
    if setting == "auto" and on_device is None:
        room += f"; {unknown}: train.replay=device takes it there"
    return Place(is_on_device, room)


def _too_large(size: ReplaySize, free: int, is_on_device: bool, platform: str) -> str:
    """What is missing, and what would help."""
    one = f"train.buffer_size={size.capacity} rows"
    needs = f"{size.count} replays of {one} need" if size.count > 1 else f"a replay of {one} needs"
    ways = ["a smaller train.buffer_size"]
    if size.dtype != HALF and replace(size, dtype=HALF).bytes <= MOST_OF_FREE * free:
        ways.append(f"train.replay_dtype={HALF}")
    if size.count > 1:
        ways.append("fewer seeds")
    what = f"give {' or '.join(ways)}"
    if is_on_device and size.count == 1 and platform != "cpu":
        what = f"train.replay=host keeps it in the host's memory, or {what}"
    where = "device" if is_on_device else "host"
    return (
        f"{needs} {size.bytes:,} bytes, but of the {free:,} free bytes of the {where} at most"
        f" {MOST_OF_FREE:.0%} may be used: {what}"
    )
