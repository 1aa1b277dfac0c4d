"""Rings in checkpoints: what was appended since the last one, in blocks of bounded size."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np
from jax import lax
from jaxtyping import Array

# Memory of one block: a writer holds up to ten.
_BLOCK_BYTES = 1 << 24


@dataclass(frozen=True)
class Ring:
    """Leaves that are only ever appended to: row i, of all ever written, lies at i mod length.

    Places that were never written hold zeros.
    """

    #: names its files
    name: str
    #: the leaves' names in the tree
    leaves: tuple[str, ...]
    #: rows so far, those overwritten since included
    written: int
    #: which axis of the leaves the rows are
    axis: int = 0


@dataclass(frozen=True)
class Segment:
    """Rows `first` to `last` (excluded), of all ever written, in a file."""

    file: str
    first: int
    last: int


def plan(
    ring: Ring, arrays: Sequence[Any], kept: Sequence[Segment]
) -> tuple[list[Segment], list[tuple[int, int]]]:
    """Which segments of before still serve, and which rows (first, last) are to be written.

    Blocks begin at multiples of their length; the last one is written again until it is full, so
    that many small additions do not make many small files.
    """
    length = arrays[0].shape[ring.axis]
    block = block_rows(arrays, ring.axis)
    oldest = max(0, ring.written - length)
    covered = kept[-1].last if kept else 0
    if covered < oldest or covered > ring.written:
        kept, covered = [], 0
    if covered % block and covered < ring.written:
        kept = [segment for segment in kept if segment.last <= covered - covered % block]
        covered = covered - covered % block
    kept = [segment for segment in kept if segment.last > oldest]
    blocks, first = [], max(covered, oldest)
    while first < ring.written:
        last = min((first // block + 1) * block, ring.written)
        blocks.append((first, last))
        first = last
    return list(kept), blocks


def block_rows(arrays: Sequence[Any], axis: int) -> int:
    """Rows of one block."""
    length = arrays[0].shape[axis]
    return min(length, max(1, _BLOCK_BYTES * length // sum(array.nbytes for array in arrays)))


def block_bytes(arrays: Sequence[Any], axis: int, blocks: Sequence[tuple[int, int]]) -> int:
    row = sum(array.nbytes for array in arrays) // arrays[0].shape[axis]
    return row * sum(last - first for first, last in blocks)


def copy_block(arrays: Sequence[Array], axis: int, first: int, last: int) -> list[np.ndarray]:
    """Rows `first` to `last`, of all ever written, as host copies.

    One compiled program cuts every block: its length is fixed, whatever is needed of it.
    """
    length, rows = arrays[0].shape[axis], block_rows(arrays, axis)
    place, count = first % length, last - first
    ends = min(count, length - place)
    start = min(place, length - rows)
    pieces = [_taken(_cut(arrays, start, rows, axis), axis, place - start, ends)]
    if ends < count:
        pieces.append(_taken(_cut(arrays, 0, rows, axis), axis, 0, count - ends))
    return [np.concatenate(parts, axis=axis) for parts in zip(*pieces, strict=True)]


def _cut(arrays: Sequence[Array], start: int, rows: int, axis: int) -> list[np.ndarray]:
    return jax.device_get(_slices(list(arrays), np.int32(start), rows=rows, axis=axis))


@partial(jax.jit, static_argnames=("rows", "axis"))
def _slices(arrays, start, *, rows, axis):
    return [lax.dynamic_slice_in_dim(array, start, rows, axis) for array in arrays]


def _taken(cuts: Sequence[np.ndarray], axis: int, start: int, count: int) -> list[np.ndarray]:
    return [cut[_span(axis, start, start + count)] for cut in cuts]


def _span(axis: int, start: int, stop: int) -> tuple[slice, ...]:
    """The index of some places on an axis."""
    return (*(slice(None),) * axis, slice(start, stop))


def place_block(
    targets: Mapping[str, np.ndarray],
    rows: Mapping[str, np.ndarray],
    segment: Segment,
    *,
    axis: int,
    written: int,
) -> None:
    """Puts a segment's rows where they lay, those that have been overwritten since left out."""
    for name, target in targets.items():
        length = target.shape[axis]
        skipped = max(0, written - length - segment.first)
        for start, stop, place in _runs(segment.first + skipped, segment.last, length):
            there = _span(axis, start - segment.first, stop - segment.first)
            # an npz file has no name for bfloat16, only its bytes
            target[_span(axis, place, place + stop - start)] = rows[name][there].view(target.dtype)


def _runs(first: int, last: int, length: int) -> Iterator[tuple[int, int, int]]:
    """(first, last, place) of the pieces that lie side by side on the ring."""
    while first < last:
        place = first % length
        stop = min(last, first + length - place)
        yield first, stop, place
        first = stop
