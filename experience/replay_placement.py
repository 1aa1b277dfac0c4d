"""Where the replay lives: on the accelerator if it fits there, else in the host's memory."""

import gc

import equinox as eqx
import jax

from experience.replay import TapeReplay, replay_bytes
from harness.errors import UserError
from harness.run.free_memory import free_device_bytes, free_host_bytes

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
    free = {"device": free_device_bytes(device), "host": free_host_bytes()}
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
