"""Files that are either whole or absent, and disks that run full."""

import errno
import hashlib
import os
import platform
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import LostDirectoryError, UserError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_LOST = (
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.ESTALE,
    errno.EIO,
    errno.EISDIR,
    errno.EEXIST,
)
# of a name that is short beside a file's own, which may have 200 bytes
_HOST = platform.node().partition(".")[0][:16]


@contextmanager
def atomic_write(path: Path | str) -> Iterator[Path]:
    """Yields a temporary path beside `path`; what is written there takes its name at the end.

    An error or a kill inside the block leaves what was at `path` untouched. Parent folders are
    made. Raises UserError when the disk is full, LostDirectoryError where nothing can be written.
    """
    path = Path(path)
    # machines and containers that share a folder repeat the numbers of processes
    own = f"{_HOST}-{os.getpid()}-{secrets.token_hex(4)}"
    temporary = path.with_name(f".{path.name}.{own}.part")
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def write_text(path: Path | str, text: str) -> None:
    """Writes a text file atomically."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def sha256_of(path: Path | str) -> str:
    """The checksum of what the file holds, in hexadecimal."""
    with open(path, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


@contextmanager
def disk_errors(path: Path | str) -> Iterator[None]:
    """Says a full disk (UserError) and a folder that is gone or closed (LostDirectoryError) in one
    sentence; other errors pass."""
    try:
        yield
    except OSError as error:
        if error.errno in _LOST:
            # what making a folder says of a file in its place
            taken = error.errno == errno.EEXIST
            reason = f"{error.filename or path} is there already" if taken else error.strerror
            raise LostDirectoryError(
                f"{path} could not be written ({reason}): see that its folder is there and"
                " may be written to, and run the same command again"
            ) from error
        if error.errno not in _FULL:
            raise
        raise UserError(
            f"the disk is full, so {path} could not be written: free some space (what was there"
            " before is kept) and run the same command again"
        ) from error
