"""Arrays that are costly to compute and cheap to keep, under the digest of what they came from."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from harness.arrays import UnreadableArraysError, digest_of, read_npz, write_npz


def cache_root() -> Path:
    """Where programs keep what they could compute again."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "neubay-jax"


def cached_array(
    name: str, sources: Iterable[np.ndarray | str], compute: Callable[[], np.ndarray]
) -> np.ndarray:
    """`compute()`, or what it gave for the same `sources` before.

    A cache that cannot be read or written costs time, not the run.
    """
    file = cache_root() / name / f"{digest_of(sources)}.npz"
    try:
        # a zip file, which has a checksum: a damaged array must not be taken for the computed one
        return read_npz(file)["array"]
    except (UnreadableArraysError, KeyError):
        array = compute()
    try:
        write_npz(file, {"array": array})
    except (OSError, ValueError) as error:
        print(f"note: {file} could not be kept ({error})", flush=True)
    return array
