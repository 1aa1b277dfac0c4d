"""Arrays in npz files: read whole wherever they come from, or refused with a reason."""

import hashlib
import tokenize
import zipfile
import zlib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import first_line
from harness.files import atomic_write

#: All that a damaged or an ill-meant file was seen to raise in NumPy and in zipfile.
_UNREADABLE = (
    *(OSError, EOFError, ValueError, TypeError, AttributeError, LookupError, SyntaxError),
    *(NotImplementedError, OverflowError, MemoryError, RecursionError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error, tokenize.TokenError),
)


class UnreadableArraysError(ValueError):
    """The file is missing, damaged or no npz file of numbers; the message says what was found."""


class PickledArraysError(UnreadableArraysError):
    """The file holds Python objects, which are never loaded."""


def read_npz(path: Path, keys: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """The arrays in an npz file, of those in `keys` (all if None) the ones that it has.

    Every array's own checksum is compared. Raises UnreadableArraysError.
    """
    try:
        # opened here: numpy leaves a damaged file open
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
            names = stored.files if keys is None else [key for key in keys if key in stored.files]
            return {name: stored[name] for name in names}
    except _UNREADABLE as error:
        if "allow_pickle" in str(error):
            raise PickledArraysError("it holds pickled objects, which are never loaded") from error
        raise UnreadableArraysError(first_line(error)) from error


def write_npz(path: Path, arrays: Mapping[str, np.ndarray], *, compressed: bool = False) -> None:
    """Writes an npz file, whole or not at all."""
    save = np.savez_compressed if compressed else np.savez
    with atomic_write(path) as temporary, open(temporary, "wb") as stream:
        save(stream, **dict[str, Any](arrays))


def digest_of(sources: Iterable[np.ndarray | str]) -> str:
    """A name for what is computed from these, the same wherever they are the same."""
    digest = hashlib.sha256()
    for source in sources:
        if isinstance(source, str):
            digest.update(source.encode())
        else:
            digest.update(str((source.shape, source.dtype)).encode())
            digest.update(np.ascontiguousarray(source).data)
    return digest.hexdigest()[:32]
