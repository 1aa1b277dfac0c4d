"""Where the replay lives: on the accelerator if it fits there, else in the host's memory."""

import gc

import equinox as eqx
import jax

from experience.replay import TapeReplay, replay_bytes
from harness.errors import UserError
from harness.run.free_memory import free_device_bytes, free_host_bytes

#: Share of the free memory that a replay may take; the rest is for networks and workspace.
MOST_OF_FREE = 0.8


def place_replays(
    setting: str,
    capacity: int,
    state_dim: int,
    action_dim: int,
    *,
    longest: int,
    at_once: int,
    count: int = 1,
) -> tuple[list[TapeReplay], bool]:
    """`count` empty replays, and whether they live on the device that trains, as several must.

    `setting` is `train.replay`; `longest` the rows of the longest episode; `at_once` the episodes
    of one collection. Says their size before it allocates. Raises UserError where they do not fit.
    """
    if count > 1 and setting == "host":
        raise UserError(
            "train.replay=host is for a single agent, the replays of several live on the device:"
            " leave it out"
        )
    if longest > capacity:
        raise UserError(
            f"train.buffer_size={capacity} is shorter than one episode of {longest} rows: give at"
            f" least train.buffer_size={longest}"
        )
    # The replay of a sweep's last job may still wait in a reference cycle.
    gc.collect()
    size = count * replay_bytes(capacity, state_dim, action_dim)
    device = jax.local_devices()[0]
    free = {"device": free_device_bytes(device), "host": free_host_bytes()}
    where = setting
    if setting == "auto":
        stays = count > 1 or size <= MOST_OF_FREE * free["device"]
        where = "device" if stays else "host"
    rows = f"{count} × {capacity:,} rows" if count > 1 else f"{capacity:,} rows"
    print(
        f"replay: {rows}, {size:,} bytes ({size / 2**30:.2f} GiB) on the {where}"
        f" ({free[where] / 2**30:.1f} GiB free)",
        flush=True,
    )
    if size > MOST_OF_FREE * free[where]:
        one, elsewhere = f"train.buffer_size={capacity} rows", "give a smaller train.buffer_size"
        needs = f"a replay of {one} needs"
        if count > 1:
            needs, elsewhere = f"{count} replays of {one} need", f"{elsewhere} or fewer seeds"
        elif where == "device" and device.platform != "cpu":
            elsewhere = f"train.replay=host keeps it in the host's memory, or {elsewhere}"
        raise UserError(
            f"{needs} {size:,} bytes, but of the"
            f" {free[where]:,} free bytes of the {where} at most {MOST_OF_FREE:.0%} may be used:"
            f" {elsewhere}"
        )
    target = device if where == "device" else jax.local_devices(backend="cpu")[0]
    with jax.default_device(target):
        make = eqx.filter_jit(lambda: TapeReplay.empty(capacity, state_dim, action_dim, at_once))
        return [make() for _ in range(count)], where == "device"
