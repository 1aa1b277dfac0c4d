"""Replays in checkpoints: only what is new is written, and it comes back bit for bit."""

import json

import equinox as eqx
import jax
import numpy as np
import pytest

from experience.replay import TapeReplay
from harness.saving import checkpoint, rings
from harness.saving.shelf import SEGMENTS
from programs.training import replay_rings
from tests.experience.tapes import counting_tape

CAPACITY = 50


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Blocks of seven rows of the replay below, which do not divide its length."""
    monkeypatch.setattr(rings, "_BLOCK_BYTES", 7 * 21)


@eqx.filter_jit
def add(replay, tape, lengths):
    return replay.add(tape, lengths)


class Writing:
    """A replay, and how much has gone into it."""

    def __init__(self, dtype="float32"):
        self.replay = TapeReplay.empty(CAPACITY, 2, 1, episodes_at_once=2, dtype=dtype)
        self.rows = self.episodes = 0

    def add(self, *lengths):
        # always as many rows, or each call would be compiled
        tape = counting_tape([*lengths, 60 - sum(lengths)], first=self.rows)
        self.replay = add(self.replay, tape, np.array(lengths, np.int32))
        self.rows += sum(lengths)
        self.episodes += len(lengths)

    def rings(self):
        return replay_rings("replay", self.rows - self.episodes, self.episodes)

    def save(self, folder):
        checkpoint.save(folder, self.rows, {"replay": self.replay}, self.rings())


def restored(folder, dtype="float32"):
    like = {"replay": TapeReplay.empty(CAPACITY, 2, 1, episodes_at_once=2, dtype=dtype)}
    return checkpoint.restore(folder, like)[1]["replay"]


def segments(folder):
    return {file.name: file.stat().st_ino for file in (folder / SEGMENTS).iterdir()}


@pytest.mark.parametrize(
    ("seed", "dtype"), [*((seed, "float32") for seed in range(4)), (4, "bfloat16")]
)
def test_a_replay_comes_back_bit_for_bit_through_growth_and_wrap(tmp_path, seed, dtype):
    rng, writing = np.random.default_rng(seed), Writing(dtype)
    for _ in range(12):
        # sometimes several collections between two saves, now and then more than the ring holds
        for _ in range(rng.integers(1, 4)):
            writing.add(*rng.integers(2, 26, size=2).tolist())
        writing.save(tmp_path)
        assert eqx.tree_equal(restored(tmp_path, dtype), writing.replay, typematch=True)
    # bounded: nothing stays that no kept checkpoint needs
    assert len(segments(tmp_path)) <= 2 * 2 * (CAPACITY // 7 + 2)


def test_what_is_on_the_disk_is_not_written_again(tmp_path):
    writing = Writing()
    writing.add(10, 6)
    writing.save(tmp_path)
    before = segments(tmp_path)
    writing.save(tmp_path)
    assert segments(tmp_path) == before, "nothing new, nothing written"
    writing.add(3, 2)
    writing.save(tmp_path)
    after = segments(tmp_path)
    # the two full blocks (0-7, 7-14) stay, the third (14-21) is written again as it grows
    full = {"replay_rows-000000-0.npz", "replay_rows-000000-7.npz"}
    assert {name: after[name] for name in full} == {name: before[name] for name in full}
    new = {name for name in after if "-000002-" in name and "rows" in name}
    assert new == {"replay_rows-000002-14.npz"}


def test_stacked_replays_have_their_rows_on_the_second_axis(tmp_path):
    stacked = None
    writing = [Writing(), Writing()]
    for lengths in ((20, 9), (30, 4), (8, 8)):
        for one in writing:
            one.add(*lengths)
        stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *(w.replay for w in writing))
        stacked = jax.device_put(stacked)
        one = writing[0]
        grown = replay_rings("replay", one.rows - one.episodes, one.episodes, axis=1)
        checkpoint.save(tmp_path, one.rows, {"replay": stacked}, grown)
    _, back = checkpoint.restore(tmp_path, {"replay": stacked})
    assert eqx.tree_equal(back["replay"], stacked, typematch=True)


def test_after_a_fallback_the_damaged_rows_are_written_again(tmp_path):
    writing = Writing()
    writing.add(10, 6)
    writing.save(tmp_path)
    writing.add(9, 9)
    writing.save(tmp_path)
    newest = max(segments(tmp_path))
    (tmp_path / SEGMENTS / newest).write_bytes(b"")
    assert int(restored(tmp_path).size) == 16
    writing.save(tmp_path)
    assert eqx.tree_equal(restored(tmp_path), writing.replay)
    records = [json.loads(file.read_text()) for file in sorted(tmp_path.glob("*/manifest.json"))]
    assert [record["content"]["step"] for record in records] == [16, 34]


def test_an_ended_writer_leaves_nothing_half(tmp_path, monkeypatch):
    """An error while the rows are cut leaves the previous checkpoint and no thread that waits."""
    writing = Writing()
    writing.add(10, 6)
    writing.save(tmp_path)
    writing.add(9, 9)

    def broken(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("harness.saving.saver.copy_block", broken)
    with pytest.raises(KeyboardInterrupt):
        writing.save(tmp_path)
    assert int(restored(tmp_path).size) == 16
