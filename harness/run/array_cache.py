"""Arrays that are costly to compute and cheap to keep, under the digest of what they came from."""

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from harness.arrays import UnreadableArraysError, read_npz
from harness.files import atomic_write


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
    digest = hashlib.sha256()
    for source in sources:
        if isinstance(source, str):
            digest.update(source.encode())
        else:
            digest.update(str((source.shape, source.dtype)).encode())
            digest.update(np.ascontiguousarray(source))
    file = cache_root() / name / f"{digest.hexdigest()[:32]}.npz"
    try:
        # a zip file, which has a checksum: a damaged array must not be taken for the computed one
        return read_npz(file)["array"]
    except (UnreadableArraysError, KeyError):
        array = compute()
    try:
        with atomic_write(file) as temporary, open(temporary, "wb") as stream:
            np.savez(stream, array=array)
    except (OSError, ValueError) as error:
        print(f"note: {file} could not be kept ({error})", flush=True)
    return array
