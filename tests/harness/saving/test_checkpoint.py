"""Checkpoints: exact round trips, mismatches named, and nothing lost by kills and full disks."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from harness.errors import UserError
from harness.saving import checkpoint

REPOSITORY = Path(__file__).resolve().parents[3]

SAVER = """
import sys
import numpy as np
from harness.saving import checkpoint
checkpoint.save(sys.argv[1], 0, {"a": np.zeros(2_000_000)})
print("saved", flush=True)
for step in range(1, 10_000):
    checkpoint.save(sys.argv[1], step, {"a": np.full(2_000_000, float(step))})
"""


class State(eqx.Module):
    network: eqx.nn.MLP
    key: jax.Array
    host: np.ndarray
    flags: jax.Array
    nothing: jax.Array
    updates: int
    ratio: float


def state(seed, width=8):
    key = jax.random.key(seed)
    return State(
        network=eqx.nn.MLP(3, 2, width, 1, key=key),
        key=key,
        host=np.arange(5, dtype=np.int64) + 2**40 + seed,
        flags=jnp.array([True, False]) ^ bool(seed),
        nothing=jnp.zeros((2, 0)),
        updates=7 + seed,
        ratio=0.1 + seed,
    )


def test_round_trip_is_exact_and_keeps_the_newest(tmp_path):
    assert checkpoint.restore(tmp_path / "none", state(1)) is None
    checkpoint.save(tmp_path, 10, state(1))
    checkpoint.save(tmp_path, 10, state(2))
    checkpoint.save(tmp_path, 20, state(3))
    step, restored = checkpoint.restore(tmp_path, state(0))
    assert step == 20
    assert eqx.tree_equal(restored, state(3), typematch=True)
    assert jnp.array_equal(jax.random.normal(restored.key), jax.random.normal(jax.random.key(3)))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000001-step10", "000002-step20"]


def test_restores_from_shapes_alone(tmp_path):
    checkpoint.save(tmp_path, 1, {"a": jnp.arange(4.0)})
    _, restored = checkpoint.restore(tmp_path, {"a": jax.ShapeDtypeStruct((4,), jnp.float32)})
    assert jnp.array_equal(restored["a"], jnp.arange(4.0))


def test_mismatches_name_the_leaf(tmp_path):
    checkpoint.save(tmp_path, 1, state(1))
    with pytest.raises(UserError, match=r"network/layers/0/weight as float32\[8, 3\].*\[9, 3\]"):
        checkpoint.restore(tmp_path, state(1, width=9))
    with pytest.raises(UserError, match="has no extra"):
        checkpoint.restore(tmp_path, {**vars(state(1)), "extra": 1.0})
    fewer = vars(state(1))
    del fewer["host"]
    with pytest.raises(UserError, match="unknown host"):
        checkpoint.restore(tmp_path, fewer)
    with pytest.raises(UserError, match=r"flags as bool\[2\].*float32\[2\]"):
        checkpoint.restore(tmp_path, {**vars(state(1)), "flags": jnp.zeros(2)})


def damage(file: Path, kind: str) -> None:
    content = bytearray(file.read_bytes())
    if kind == "flipped":
        content[len(content) // 2] ^= 1
    file.write_bytes({"empty": b"", "cut": bytes(content[: len(content) // 2])}.get(kind, content))
    if kind == "gone":
        file.unlink()


@pytest.mark.parametrize("kind", ["empty", "cut", "flipped", "gone"])
@pytest.mark.parametrize("victim", ["state.npz", "manifest.json"])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(tmp_path, capsys, victim, kind):
    checkpoint.save(tmp_path, 1, state(1))
    damage(checkpoint.save(tmp_path, 2, state(2)) / victim, kind)
    step, restored = checkpoint.restore(tmp_path, state(0))
    assert step == 1 and eqx.tree_equal(restored, state(1), typematch=True)
    told = capsys.readouterr().out
    assert told.startswith("note: the checkpoint ") and told.count("\n") == 1
    assert f"000001-step2 is damaged ({victim}" in told and "one before, 000000-step1" in told
    checkpoint.save(tmp_path, 3, state(3))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000000-step1", "000001-step3"]
    for folder in tmp_path.iterdir():
        damage(folder / victim, kind)
    with pytest.raises(UserError, match="000001-step3 is damaged .* no other one is sound"):
        checkpoint.restore(tmp_path, state(0))


def test_no_single_flipped_bit_is_silent(tmp_path):
    saved = checkpoint.save(tmp_path, 1, state(1), kept=1)
    rng, refused = np.random.default_rng(0), 0
    files = [saved / "state.npz", saved / "manifest.json"]
    for _ in range(60):
        file = files[rng.integers(2)]
        sound = file.read_bytes()
        flipped = bytearray(sound)
        flipped[rng.integers(len(sound))] ^= 1 << rng.integers(8)
        file.write_bytes(flipped)
        try:
            _, restored = checkpoint.restore(tmp_path, state(0))
            assert eqx.tree_equal(restored, state(1), typematch=True)
        except UserError:
            refused += 1
        file.write_bytes(sound)
    assert refused > 50


def test_copies_are_whole_replace_older_ones_and_are_not_made_of_damaged_ones(tmp_path):
    source, copies = tmp_path / "run/agent", tmp_path / "kept/agent"
    checkpoint.save(source, 1, state(1), kept=1)
    first = checkpoint.copy(source, copies)
    written = (first / "state.npz").stat()
    assert checkpoint.copy(source, copies) == first
    assert (first / "state.npz").stat() == written, "one that is there stays as it is"
    newest = checkpoint.save(source, 2, state(2), kept=1)
    checkpoint.copy(source, copies)
    step, restored = checkpoint.restore(copies, state(0))
    assert step == 2 and eqx.tree_equal(restored, state(2), typematch=True)
    assert len(list(copies.iterdir())) == 1
    damage(newest / "state.npz", "flipped")
    with pytest.raises(UserError, match="is damaged, so it is not copied"):
        checkpoint.copy(source, tmp_path / "other")


def test_notes_are_kept_under_the_same_checksum(tmp_path):
    assert checkpoint.notes(tmp_path) == {}
    saved = checkpoint.save(tmp_path, 1, state(1), notes={"origin": [0.1, 1e8]})
    assert checkpoint.notes(tmp_path) == {"origin": [0.1, 1e8]}
    damage(saved / "manifest.json", "flipped")
    with pytest.raises(UserError, match="damaged"):
        checkpoint.notes(tmp_path)


def test_training_goes_on_while_a_checkpoint_is_written(tmp_path):
    saver = checkpoint.Saver(tmp_path)
    tree = {"a": jnp.arange(1000.0)}
    saver.save(1, tree)
    # what a compiled step does with what it was given
    tree["a"].delete()
    saver.wait()
    assert not saver.busy
    _, restored = checkpoint.restore(tmp_path, {"a": np.zeros(1000, np.float32)})
    assert np.array_equal(restored["a"], np.arange(1000))


def test_an_error_of_the_writing_thread_is_raised_by_the_next_call(tmp_path, monkeypatch):
    saver = checkpoint.Saver(tmp_path)
    saver.save(1, {"a": np.zeros(3)})
    saver.wait()

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("harness.saving.saver.np.savez", full)
    saver.save(2, {"a": np.ones(3)})
    with pytest.raises(UserError, match="disk is full"):
        saver.wait()
    assert [path.name for path in tmp_path.iterdir()] == ["000000-step1"]


def test_a_kill_in_the_middle_of_a_save_leaves_a_whole_checkpoint(tmp_path):
    command = [sys.executable, "-c", SAVER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as saver:
        try:
            assert saver.stdout.readline() == "saved\n"
            while not any("unfinished" in name for name in os.listdir(tmp_path)):
                assert saver.poll() is None
        finally:
            saver.kill()
    step, restored = checkpoint.restore(tmp_path, {"a": np.zeros(2_000_000)})
    assert np.all(restored["a"] == step)
    checkpoint.save(tmp_path, step + 1, {"a": np.zeros(2_000_000)})
    assert not list(tmp_path.glob("*.unfinished")), "what the killed save left is cleaned up"


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 4 MB, where this machine lets us make one."""
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(tmp_path)]
    if sys.platform != "linux" or os.getuid() != 0:
        pytest.skip("needs root to mount a small file system")
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("this machine does not allow mounts")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_full_disk_keeps_the_previous_checkpoint(small_disk):
    small = {"a": np.arange(1000.0)}
    checkpoint.save(small_disk, 1, small)
    with pytest.raises(UserError, match="disk is full.*9,048,576 bytes and 4,1"):
        checkpoint.save(small_disk, 2, {"a": np.zeros(1_000_000)})
    step, restored = checkpoint.restore(small_disk, small)
    assert step == 1 and np.array_equal(restored["a"], small["a"])


def test_a_disk_that_fills_during_the_save(small_disk, monkeypatch):
    small = {"a": np.arange(1000.0)}
    checkpoint.save(small_disk, 1, small)
    # Another program takes the space after it was found free.
    monkeypatch.setattr("harness.saving.saver._check_space", lambda target, size: None)
    with pytest.raises(UserError, match="disk is full"):
        checkpoint.save(small_disk, 2, {"a": np.random.default_rng(0).normal(size=1_000_000)})
    assert checkpoint.restore(small_disk, small)[0] == 1
    assert len(os.listdir(small_disk)) == 1
