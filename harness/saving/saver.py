"""Writes checkpoints in a thread of its own, while training goes on."""

import math
import queue
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import PyTree

from harness.errors import UserError
from harness.files import disk_errors
from harness.saving import shelf
from harness.saving.leaves import form, is_data, named_leaves, on_host
from harness.saving.manifest import (
    DamagedError,
    hashed_file,
    read_manifest,
    sync_folder,
    write_manifest,
)
from harness.saving.rings import Ring, Segment, block_bytes, copy_block, plan

STATE = "state.npz"
KEPT = 2
# Room for the file system's and the format's own records beside the arrays.
_MARGIN_BYTES = 1 << 20
# Blocks that wait to be written: a slow disk makes training wait, not memory grow.
_WAITING = 8


class Saver:
    """Saves to one directory, one checkpoint at a time; the newest `kept` stay.

    A checkpoint takes its name only when all of it is on the disk: a kill at any moment leaves the
    previous ones in place. An error of the writing thread is raised by the next call.
    """

    def __init__(self, directory: Path | str, *, kept: int = KEPT):
        self._directory = Path(directory).absolute()
        self._kept = kept
        self._written: Future[None] | None = None

    @property
    def busy(self) -> bool:
        """Whether a checkpoint is being written."""
        return self._written is not None and not self._written.done()

    def save(
        self,
        step: int,
        tree: PyTree,
        rings: Sequence[Ring] = (),
        notes: Mapping[str, Any] | None = None,
    ) -> Path:
        """Begins a checkpoint of every array and number of `tree`; returns the folder it will be.

        When this returns, everything is copied or written, and `tree` may be donated. Of the
        leaves of `rings` only what the newest checkpoint lacks is written. Leaves that are neither
        arrays nor numbers (functions) are not stored; `notes` (JSON) go into the manifest. Raises
        UserError when the disk is full.
        """
        self.wait()
        leaves = {name: leaf for name, leaf in named_leaves(tree) if is_data(leaf)}
        growing = {name for ring in rings for name in ring.leaves}
        small = {name: leaf for name, leaf in leaves.items() if name not in growing}
        with disk_errors(self._directory):
            self._directory.mkdir(exist_ok=True)
            shelf.clear_left_over(self._directory)
            newest = _newest_record(self._directory)
            parts = [_Growing(ring, leaves, newest) for ring in rings]
            target, unfinished = shelf.new_target(self._directory, step)
            new_bytes = sum(_size(leaf) for leaf in small.values())
            _check_space(target, new_bytes + sum(part.new_bytes for part in parts))
            unfinished.mkdir()
            if rings:
                (self._directory / shelf.SEGMENTS).mkdir(exist_ok=True)
        forms = {name: form(leaf) for name, leaf in leaves.items()}
        content = {"step": step, "leaves": forms, "notes": dict(notes or {})}
        writer = _Writer(target, unfinished, content, parts, self._kept)
        # its thread ends with the work, and the process only after it
        with_thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._written = with_thread.submit(writer.run)
        with_thread.shutdown(wait=False)
        with writer.taking_files():
            writer.put(STATE, {name: on_host(leaf) for name, leaf in small.items()})
            for part in parts:
                for first, last in part.blocks:
                    writer.put(part.file(target, first), part.rows(first, last))
        return target

    def wait(self) -> None:
        """Waits for the checkpoint that is being written; raises what went wrong with it."""
        written, self._written = self._written, None
        if written is not None:
            written.result()

    def check(self) -> None:
        """Raises what went wrong with the last checkpoint, without waiting for it."""
        if not self.busy:
            self.wait()


class _Growing:
    """What of a ring is on the disk already, and what is to be added."""

    def __init__(self, ring: Ring, leaves: dict[str, Any], newest: dict[str, Any]):
        self.ring = ring
        self._arrays = [leaves[name] for name in ring.leaves]
        before = newest.get("rings", {}).get(ring.name, {})
        same = before.get("leaves") == list(ring.leaves)
        segments = [Segment(**segment) for segment in before.get("segments", ())] if same else []
        self.kept, self.blocks = plan(ring, self._arrays, segments)
        self.seals = {segment.file: newest["files"][segment.file] for segment in self.kept}
        self.new_bytes = block_bytes(self._arrays, ring.axis, self.blocks)

    def file(self, target: Path, first: int) -> str:
        # the checkpoint's number is in it: no file is ever written twice
        return f"{shelf.SEGMENTS}/{self.ring.name}-{target.name.partition('-')[0]}-{first}.npz"

    def rows(self, first: int, last: int) -> dict[str, np.ndarray]:
        blocks = copy_block(self._arrays, self.ring.axis, first, last)
        return dict(zip(self.ring.leaves, blocks, strict=True))

    def record(self, target: Path) -> dict[str, Any]:
        new = [Segment(self.file(target, first), first, last) for first, last in self.blocks]
        return {
            "leaves": self.ring.leaves,
            "axis": self.ring.axis,
            "written": self.ring.written,
            "segments": [asdict(segment) for segment in (*self.kept, *new)],
        }


class _Writer:
    """Writes the files of one checkpoint as they come, then its manifest, then its name."""

    def __init__(
        self,
        target: Path,
        unfinished: Path,
        content: dict[str, Any],
        parts: Sequence[_Growing],
        kept: int,
    ):
        self._target, self._unfinished, self._kept = target, unfinished, kept
        self._content = content | {"rings": {p.ring.name: p.record(target) for p in parts}}
        self._seals = {name: seal for part in parts for name, seal in part.seals.items()}
        self._files: queue.Queue = queue.Queue(_WAITING)
        self._all_came = False

    def put(self, name: str, arrays: dict[str, np.ndarray]) -> None:
        """Waits while others wait to be written."""
        self._files.put((name, arrays))

    @contextmanager
    def taking_files(self) -> Iterator[None]:
        """The block that puts them; an error in it leaves no checkpoint."""
        try:
            yield
            self._all_came = True
        finally:
            self._files.put(None)

    def run(self) -> None:
        files = iter(self._files.get, None)
        try:
            with disk_errors(self._target):
                for name, arrays in files:
                    self._write(name, arrays)
                if self._all_came:
                    self._complete()
        finally:
            # after an error nobody may wait for room in the queue for ever
            for _ in files:
                pass
            shutil.rmtree(self._unfinished, ignore_errors=True)

    def _write(self, name: str, arrays: dict[str, np.ndarray]) -> None:
        inside = self._target.parent if name.startswith(shelf.SEGMENTS) else self._unfinished
        with hashed_file(inside / name) as file:
            np.savez(file, **dict[str, Any](arrays))
        self._seals[name] = asdict(file.seal)

    def _complete(self) -> None:
        write_manifest(self._unfinished, self._content | {"files": self._seals})
        sync_folder(self._unfinished)
        self._unfinished.rename(self._target)
        sync_folder(self._target.parent)
        shelf.prune(self._target.parent, self._kept)


def _newest_record(directory: Path) -> dict[str, Any]:
    """The newest checkpoint's manifest, empty where there is none that can be read."""
    for checkpoint in reversed(shelf.checkpoints(directory)):
        try:
            return read_manifest(checkpoint.path)
        except DamagedError:
            continue
    return {}


def _size(leaf: Any) -> int:
    dtype, shape = form(leaf)
    return np.dtype(dtype).itemsize * math.prod(shape)


def _check_space(target: Path, size: int) -> None:
    free = shutil.disk_usage(target.parent).free
    if free < size + _MARGIN_BYTES:
        raise UserError(
            f"the disk is full: the checkpoint {target} needs {size + _MARGIN_BYTES:,} bytes and"
            f" {free:,} are free; make room and run the same command again (the previous"
            " checkpoint is kept)"
        )
