"""Saving and restoring the whole state of a training run, so that a kill loses minutes only.

A checkpoint is a folder: `state.npz`, and last of all `manifest.json` with the checksum of every
file that belongs to it. What only grows (a replay) lies beside the checkpoints in segments, each
written once. The two newest are kept; a damaged one is passed over for the one before.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree

from harness.errors import UserError
from harness.saving import shelf
from harness.saving.leaves import as_leaf, form, is_data, named_leaves
from harness.saving.manifest import DamagedError, Sealed, read_manifest, verify
from harness.saving.rings import Ring, Segment, place_block
from harness.saving.saver import KEPT, STATE, Saver
from harness.saving.shelf import copy, same

__all__ = ["Ring", "Saver", "copy", "exists", "notes", "restore", "same", "save"]

_OTHER_RUN = "move its run directory away or give run_dir=<folder>"


def save(
    directory: Path | str,
    step: int,
    tree: PyTree,
    rings: Sequence[Ring] = (),
    *,
    notes: Mapping[str, Any] | None = None,
    kept: int = KEPT,
) -> Path:
    """Saves `tree` in a new folder of `directory` (see `Saver.save`) and waits until it is there.

    The newest `kept` checkpoints stay.
    """
    Path(directory).mkdir(parents=True, exist_ok=True)
    saver = Saver(directory, kept=kept)
    target = saver.save(step, tree, rings, notes)
    saver.wait()
    return target


def exists(directory: Path | str) -> bool:
    """Whether a complete checkpoint is saved in `directory`."""
    return bool(shelf.checkpoints(Path(directory)))


def notes(directory: Path | str) -> dict[str, Any]:
    """What was noted beside the newest checkpoint in `directory`; empty if there is none.

    Raises UserError if its manifest is damaged.
    """
    saved = shelf.checkpoints(Path(directory))
    if not saved:
        return {}
    try:
        return read_manifest(saved[-1].path)["notes"]
    except DamagedError as error:
        raise UserError(f"{saved[-1].path} is damaged ({error})") from error


def restore(
    directory: Path | str, like: PyTree, *, remedy: str = _OTHER_RUN
) -> tuple[int, PyTree] | None:
    """The latest step saved in `directory` and its tree; None if there is none.

    `like` has the structure, shapes and dtypes of the saved tree; its leaves may be arrays or
    `jax.ShapeDtypeStruct`. NumPy leaves come back as NumPy, the others on the device of `like`'s.
    Every file is compared with its checksum before it is used. A damaged checkpoint is set aside
    for the one before, which is said. Raises UserError where none is sound, and one that ends with
    `remedy` for a leaf that is missing, unknown, or of another shape or type.
    """
    directory = Path(directory).absolute()
    damaged: list[tuple[Path, DamagedError]] = []
    for checkpoint in reversed(shelf.checkpoints(directory)):
        try:
            values = _read(checkpoint.path, like, remedy)
        except DamagedError as error:
            damaged.append((checkpoint.path, error))
            continue
        for path, reason in damaged:
            shelf.set_aside(path)
            print(
                f"note: the checkpoint {path} is damaged ({reason}): going on from the one before,"
                f" {checkpoint.path.name}",
                flush=True,
            )
        # One after the other leaves the host before the next is copied: a replay may be most of
        # memory.
        leaves = [
            as_leaf(values.pop(name), leaf) if is_data(leaf) else leaf
            for name, leaf in named_leaves(like)
        ]
        return checkpoint.step, jax.tree.unflatten(jax.tree.structure(like), leaves)
    if damaged:
        path, reason = damaged[0]
        raise UserError(
            f"the checkpoint {path} is damaged ({reason}), and no other one is sound: remove its"
            " folder to start this run again"
        ) from reason
    return None


def _read(folder: Path, like: PyTree, remedy: str) -> dict[str, np.ndarray]:
    """All leaves of a checkpoint by name, each file checked before it is used."""
    if not (folder / STATE).exists() and any(folder.glob("_*METADATA")):
        raise UserError(
            f"the checkpoint {folder} was written by version 0.1.0, which stored it otherwise:"
            f" {remedy}"
        )
    record = read_manifest(folder)
    expected = {name: leaf for name, leaf in named_leaves(like) if is_data(leaf)}
    _check_leaves(folder, record["leaves"], expected, remedy)
    seals = {name: Sealed(**seal) for name, seal in record["files"].items()}
    verify(folder / STATE, seals[STATE])
    with np.load(folder / STATE, allow_pickle=False) as stored:
        values = {name: stored[name] for name in stored.files}
    for ring in record["rings"].values():
        values |= _read_ring(folder.parent, ring, seals, expected)
    return values


def _read_ring(
    directory: Path, ring: dict[str, Any], seals: dict[str, Sealed], expected: dict[str, Any]
) -> dict[str, np.ndarray]:
    targets = {}
    for name in ring["leaves"]:
        dtype, shape = form(expected[name])
        targets[name] = np.zeros(shape, dtype)
    for segment in (Segment(**segment) for segment in ring["segments"]):
        verify(directory / segment.file, seals[segment.file])
        with np.load(directory / segment.file, allow_pickle=False) as rows:
            place_block(targets, rows, segment, axis=ring["axis"], written=ring["written"])
    return targets


def _check_leaves(
    source: Path, saved: dict[str, Any], expected: dict[str, Any], remedy: str
) -> None:
    for name in sorted(saved.keys() ^ expected.keys()):
        where = "has no" if name in expected else "has an unknown"
        raise UserError(
            f"the checkpoint {source} {where} {name}: it belongs to another version or"
            f" configuration; {remedy}"
        )
    for name, leaf in expected.items():
        dtype, shape = form(leaf)
        found, found_shape = saved[name]
        if (found, found_shape) != (dtype, shape):
            raise UserError(
                f"the checkpoint {source} holds {name} as {found}{found_shape}, but this"
                f" configuration needs {dtype}{shape}: {remedy}"
            )
