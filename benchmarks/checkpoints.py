"""What checkpoints cost at the paper's sizes: bytes, seconds, memory, and the time to restore.

    python benchmarks/checkpoints.py [rows in millions, default 40]

Hopper's replay (11 states, 3 actions) and the recurrent agent of the paper. The replay is filled
with random rows, a tenth at a time, each followed by a checkpoint; then it is restored by a process
of its own. Needs the replay's size on the disk (2.5 GiB) and about twice that in memory.
"""

import resource
import shutil
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from experience.replay import TapeReplay
from harness.configuration.composition import load_config
from harness.configuration.schema import ContConfig
from harness.saving import checkpoint
from harness.saving.leaves import freed
from online_rl.builders import recurrent_agent
from programs.training import replay_rings

STATE, ACTION, EPISODE_ROWS = 11, 3, 500
SAVES = 10


def tree_of(capacity: int) -> dict:
    config = load_config("d4rl_loco/base", ["task=hopper_medium"])
    assert isinstance(config, ContConfig)
    agent = recurrent_agent(config, STATE, ACTION)
    learner = eqx.filter_jit(agent.init)(jax.random.key(0))
    make = eqx.filter_jit(lambda: TapeReplay.empty(capacity, STATE, ACTION, episodes_at_once=100))
    return {"learner": learner, "replay": make()}


@partial(jax.jit, donate_argnums=0)
def write_rows(ring, key, first):
    """A hundredth of the ring, at random; whole numbers of bytes, whatever the type."""
    rows = ring.shape[0] // 100
    bits = jax.random.bits(key, (rows, *ring.shape[1:]), jnp.uint8)
    return jax.lax.dynamic_update_slice_in_dim(ring, bits.astype(ring.dtype), first, 0)


def fill(replay: TapeReplay, hundredths: range) -> TapeReplay:
    def written(ring, first):
        return write_rows(ring, jax.random.key(first), first * (ring.shape[0] // 100))

    for i in hundredths:
        rings = [getattr(replay, name) for name in TapeReplay.ROWS]
        rings = [written(ring, i) for ring in rings]
        replay = eqx.tree_at(lambda r: [getattr(r, n) for n in TapeReplay.ROWS], replay, rings)
    return replay


def files(folder: Path) -> dict[Path, int]:
    return {file: file.stat().st_size for file in folder.rglob("*") if file.is_file()}


def peak_gigabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def save_growing(folder: Path, capacity: int) -> None:
    tree = jax.block_until_ready(tree_of(capacity))
    saver, before = checkpoint.Saver(folder), {}
    print(f"{capacity:,} rows; peak memory before the first save {peak_gigabytes():.2f} GiB")
    print("rows written | MB written | seconds that training waits | until on disk | peak GiB")
    for save in range(SAVES + 1):
        share = min(save + 1, SAVES)
        if save < SAVES:
            tree["replay"] = fill(tree["replay"], range(10 * save, 10 * save + 10))
            jax.block_until_ready(tree)
        rows = share * capacity // SAVES
        rings = replay_rings("replay", rows - rows // EPISODE_ROWS, rows // EPISODE_ROWS)
        began = time.perf_counter()
        saver.save(save, tree, rings)
        waits = time.perf_counter() - began
        saver.wait()
        seconds = time.perf_counter() - began
        now = files(folder)
        new = sum(size for file, size in now.items() if file not in before) / 1e6
        before = now
        print(f"{rows:,} | {new:,.1f} | {waits:.2f} | {seconds:.2f} | {peak_gigabytes():.2f}")


def restore(folder: Path, capacity: int) -> None:
    like = freed(tree_of(capacity))
    before, began = peak_gigabytes(), time.perf_counter()
    restored = checkpoint.restore(folder, like)
    seconds = time.perf_counter() - began
    assert restored is not None
    _, tree = restored
    sums = [np.asarray(jnp.sum(getattr(tree["replay"], name)[-1000:])) for name in TapeReplay.ROWS]
    assert all(np.isfinite(total) and total > 0 for total in sums)
    print(
        f"restored in {seconds:.1f} s, peak memory {peak_gigabytes():.2f} GiB"
        f" (before: {before:.2f} GiB)"
    )


def main() -> None:
    if sys.argv[1:2] == ["restore"]:
        restore(Path(sys.argv[2]), int(sys.argv[3]))
        return
    capacity = int(float(sys.argv[1] if len(sys.argv) > 1 else 40) * 1e6)
    folder = Path(tempfile.mkdtemp(prefix="checkpoints-"))
    try:
        save_growing(folder, capacity)
        # a process of its own, once this one's replay is no longer in memory
        command = [sys.executable, __file__, "restore", str(folder), str(capacity)]
        jax.clear_caches()
        for array in jax.live_arrays():
            array.delete()
        subprocess.run(command, check=True)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
