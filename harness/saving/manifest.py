"""Files under checksums: written through a hash, listed in a manifest that is written last."""

import hashlib
import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.files import sha256_of

NAME = "manifest.json"


class DamagedError(ValueError):
    """A file is not what was written; the message says which and how."""


@dataclass(frozen=True)
class Sealed:
    """A file's size and SHA-256 at the moment it was written."""

    bytes: int
    sha256: str


class HashedFile(io.RawIOBase):
    """A new file whose bytes are hashed on their way to the disk, in one pass.

    It cannot seek: a writer of zip files then never returns to what it has written.
    """

    def __init__(self, path: Path):
        self._file = path.open("wb")
        self._digest = hashlib.sha256()
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        size = self._file.write(data)
        self._digest.update(data)
        self._size += size
        return size

    def flush(self) -> None:
        if not self._file.closed:
            self._file.flush()

    def close(self) -> None:
        if not self.closed:
            self._file.close()
            super().close()

    def sync(self) -> None:
        """Returns when all of it is on the disk, and not only in the system's memory."""
        self._file.flush()
        os.fsync(self._file.fileno())

    @property
    def seal(self) -> Sealed:
        return Sealed(self._size, self._digest.hexdigest())


@contextmanager
def hashed_file(path: Path) -> Iterator[HashedFile]:
    """A file that is on the disk at the block's end."""
    with HashedFile(path) as file:
        yield file
        file.sync()


def write_manifest(folder: Path, content: dict[str, Any]) -> None:
    """Writes `content` (JSON) under a checksum of its own."""
    record = {"sha256": _digest(content), "content": content}
    with hashed_file(folder / NAME) as file:
        file.write(json.dumps(record, indent=1).encode() + b"\n")


def read_manifest(folder: Path) -> dict[str, Any]:
    """What `write_manifest` wrote; DamagedError for anything else."""
    file = folder / NAME
    try:
        record = json.loads(file.read_bytes())
        content = record["content"]
        sound = isinstance(content, dict) and record["sha256"] == _digest(content)
    except OSError as error:
        raise DamagedError(f"{NAME} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedError(f"{NAME} is not one") from error
    if not sound:
        raise DamagedError(f"{NAME} does not have its own checksum")
    return content


def verify(path: Path, sealed: Sealed) -> None:
    """DamagedError unless the file at `path` is the one that was sealed."""
    try:
        size = path.stat().st_size
        if size != sealed.bytes:
            raise DamagedError(f"{path.name} has {size:,} bytes instead of {sealed.bytes:,}")
        found = sha256_of(path)
    except OSError as error:
        raise DamagedError(f"{path.name} cannot be read: {error.strerror}") from error
    if found != sealed.sha256:
        raise DamagedError(f"{path.name} has another checksum than when it was written")


def sync_folder(folder: Path) -> None:
    """Puts the folder's own entries (names, renames) on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
