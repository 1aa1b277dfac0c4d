"""Saving and restoring the whole state of a training run, so that a kill loses minutes only."""

import logging
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree

from harness.errors import UserError
from harness.files import disk_errors

# Room for the file system's and the format's own records beside the arrays.
_MARGIN_BYTES = 1 << 20
# Numbered, because a step may be saved twice (periodically, then at the end).
_NAME = re.compile(r"(\d+)-step(\d+)")
# What a save that was killed leaves behind.
_UNFINISHED = re.compile(_NAME.pattern + r"\.orbax-checkpoint-tmp.*")
_OTHER_RUN = "move its run directory away or give run_dir=<folder>"


def save(directory: Path | str, step: int, tree: PyTree) -> Path:
    """Saves every array and number of `tree` in a new folder of `directory`, then drops older ones.

    The new folder takes its name only when it is complete: a kill in the middle leaves the previous
    one in place. Leaves that are neither arrays nor numbers (functions) are not stored. Raises
    UserError when the disk is full; the previous checkpoint stays.
    """
    directory = Path(directory).absolute()
    leaves = {name: _stored(leaf) for name, leaf in _leaves(tree) if _is_data(leaf)}
    with disk_errors(directory):
        directory.mkdir(parents=True, exist_ok=True)
        older = _saved(directory)
        _remove_unfinished(directory)
        number = older[-1].number + 1 if older else 0
        target = directory / f"{number:06d}-step{step}"
        _check_space(target, sum(leaf.nbytes for leaf in leaves.values()))
        with _full_disk_of_orbax(target):
            _checkpointer().save(target, leaves)
    for checkpoint in older:
        shutil.rmtree(checkpoint.path)
    return target


def exists(directory: Path | str) -> bool:
    """Whether a complete checkpoint is saved in `directory`."""
    return bool(_saved(Path(directory)))


def restore(
    directory: Path | str, like: PyTree, *, remedy: str = _OTHER_RUN
) -> tuple[int, PyTree] | None:
    """The latest step saved in `directory` and its tree; None if there is none.

    `like` has the structure, shapes and dtypes of the saved tree; its leaves may be arrays or
    `jax.ShapeDtypeStruct`. NumPy leaves come back as NumPy, the others on the device of `like`'s.
    Raises UserError, which ends with `remedy`, for a leaf that is missing, unknown, or of another
    shape or type.
    """
    directory = Path(directory).absolute()
    checkpoints = _saved(directory)
    if not checkpoints:
        return None
    source = checkpoints[-1].path
    expected = {name: leaf for name, leaf in _leaves(like) if _is_data(leaf)}
    with _damaged(source):
        metadata = _checkpointer().metadata(source).item_metadata
        if metadata is None:
            raise ValueError("no description of the leaves")
        _check_leaves(source, metadata.tree, expected, remedy)
        values = _checkpointer().restore(source, restore_args=_as_numpy(expected))
    # One after the other leaves the host before the next is copied: a replay may be most of memory.
    leaves = [
        _restored(values.pop(name), leaf) if _is_data(leaf) else leaf
        for name, leaf in _leaves(like)
    ]
    return checkpoints[-1].step, jax.tree.unflatten(jax.tree.structure(like), leaves)


def _leaves(tree: PyTree) -> list[tuple[str, Any]]:
    paths, _ = jax.tree_util.tree_flatten_with_path(tree)
    return [(jax.tree_util.keystr(path, simple=True, separator="/"), leaf) for path, leaf in paths]


def _is_data(leaf: Any) -> bool:
    array = (jax.Array, jax.ShapeDtypeStruct, np.ndarray, np.generic)
    # Orbax refuses empty arrays, which hold nothing to restore.
    return isinstance(leaf, (*array, bool, int, float)) and np.prod(np.shape(leaf)) > 0


def _is_key(leaf: Any) -> bool:
    return hasattr(leaf, "dtype") and jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _stored(leaf: Any) -> jax.Array | np.ndarray:
    if _is_key(leaf):
        return jax.random.key_data(leaf)
    return leaf if isinstance(leaf, jax.Array) else np.asarray(leaf)


def _restored(value: np.ndarray, like: Any) -> Any:
    if isinstance(like, bool | int | float):
        return type(like)(value.item())
    if isinstance(like, np.ndarray | np.generic):
        return value
    place = getattr(like, "sharding", None)
    if _is_key(like):
        keys = jax.random.wrap_key_data(value, impl=jax.random.key_impl(like))
        return jax.device_put(keys, place)
    return jax.block_until_ready(jax.device_put(value, place))


def _form(leaf: Any) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and dtype of what is stored for a leaf."""
    if _is_key(leaf):
        data = jax.eval_shape(jax.random.key_data, leaf)
        return data.shape, np.dtype(data.dtype)
    if not hasattr(leaf, "dtype"):
        leaf = np.asarray(leaf)
    return tuple(leaf.shape), np.dtype(leaf.dtype)


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
        shape, dtype = _form(leaf)
        found = (tuple(saved[name].shape), np.dtype(saved[name].dtype))
        if found != (shape, dtype):
            raise UserError(
                f"the checkpoint {source} holds {name} as {found[1]}{list(found[0])}, but this"
                f" configuration needs {dtype}{list(shape)}: {remedy}"
            )


@dataclass(frozen=True)
class _Saved:
    number: int
    step: int
    path: Path


def _saved(directory: Path) -> list[_Saved]:
    """The complete checkpoints, oldest first."""
    found = []
    for child in directory.iterdir() if directory.is_dir() else ():
        if match := _NAME.fullmatch(child.name):
            found.append(_Saved(int(match[1]), int(match[2]), child))
    return sorted(found, key=lambda saved: saved.number)


def _remove_unfinished(directory: Path) -> None:
    for child in directory.iterdir():
        if _UNFINISHED.fullmatch(child.name):
            shutil.rmtree(child)


def _check_space(target: Path, size: int) -> None:
    free = shutil.disk_usage(target.parent).free
    if free < size + _MARGIN_BYTES:
        raise UserError(
            f"the disk is full: the checkpoint {target} needs {size:,} bytes and {free:,} are free;"
            " make room and run the same command again (the previous checkpoint is kept)"
        )


def _checkpointer() -> Any:
    import orbax.checkpoint as ocp

    # It warns of what becomes a UserError here.
    logging.getLogger("absl").setLevel(logging.ERROR)
    # Network weights and replays hardly compress, and uncompressed sizes are known beforehand.
    return ocp.PyTreeCheckpointer(use_compression=False)


def _as_numpy(expected: dict[str, Any]) -> dict[str, Any]:
    import orbax.checkpoint as ocp

    return {name: ocp.RestoreArgs(restore_type=np.ndarray) for name in expected}


@contextmanager
def _full_disk_of_orbax(target: Path) -> Iterator[None]:
    """TensorStore reports a failed write as a ValueError that quotes the system's message."""
    try:
        yield
    except ValueError as error:
        if "No space left" not in str(error):
            raise
        _remove_unfinished(target.parent)
        raise UserError(
            f"the disk is full: the checkpoint {target} could not be written; make room and run the"
            " same command again (the previous checkpoint is kept)"
        ) from error


@contextmanager
def _damaged(source: Path) -> Iterator[None]:
    try:
        yield
    except UserError:
        raise
    except (ValueError, KeyError, OSError) as error:
        raise UserError(
            f"the checkpoint {source} is damaged: remove its folder to start this run again"
        ) from error
