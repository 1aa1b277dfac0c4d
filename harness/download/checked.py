"""Downloads that end in the right file or in a clear error, never in a damaged file."""

import errno
import hashlib
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.download.http_transfer import Refused, Transient, transfer
from harness.download.partial_file import PartialFile
from harness.errors import UserError
from harness.locks import only_process

Verify = Callable[[Path], None]
Progress = Callable[[int, int | None], None]
Notify = Callable[[str], None]

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True)
class Patience:
    """How long a failing server is given. Times are in seconds.

    `attempts` counts attempts in a row that brought no new byte; the wait before the next one
    starts at `backoff` and doubles up to `longest_wait`; `timeout` is the longest silence.
    Raises `UserError` for no attempts, a negative `backoff` or a `timeout` of nothing.
    """

    attempts: int = 6
    backoff: float = 1.0
    longest_wait: float = 60.0
    timeout: float = 60.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or not self.backoff >= 0 or not self.timeout > 0:
            raise UserError(
                f"attempts={self.attempts}, backoff={self.backoff:g} and timeout={self.timeout:g} "
                "do not describe a download; use attempts >= 1, backoff >= 0 and timeout > 0"
            )

    def wait(self, fruitless: int, asked_for: float) -> float:
        """Seconds to wait after `fruitless` attempts.

        What the server `asked_for` where that is longer, but never more than `longest_wait`.
        """
        return min(max(self.backoff * 2.0 ** (fruitless - 1), asked_for), self.longest_wait)


def _ignore(*_: object) -> None:
    pass


def check_file(path: Path, *, md5: str | None = None, verify: Verify | None = None) -> None:
    """Raises a `UserError` that says what is wrong with the content of `path`, if anything is.

    `verify` raises a `UserError` itself.
    """
    if md5 is not None:
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "md5").hexdigest()
        if found != md5:
            raise UserError(f"its md5 is {found} where {md5} is expected")
    if verify is not None:
        verify(path)


def fetch_file(
    url: str,
    path: Path,
    *,
    md5: str | None = None,
    verify: Verify | None = None,
    patience: Patience | None = None,
    on_progress: Progress = _ignore,
    on_notice: Notify = _ignore,
) -> bool:
    """Makes sure that a sound file is at `path`; downloads it from `url` if it is not there.

    Bytes arrive in `<path>.part`, which a later call continues with an HTTP range request, and get
    their final name once size, `md5` and `verify` agree. A damaged file already at `path` is set
    aside as `<path>.damaged`. Other processes that want the same file wait.

    `on_progress(done, total)` is called with bytes (`total` None where the server does not say),
    `on_notice(sentence)` with what a user may want to read.

    Returns whether the file had to be downloaded. Raises `UserError` naming the URL, the reason,
    and the file and folder in which a user can put it by hand.
    """

    def is_sound() -> bool:
        if not path.exists():
            return False
        try:
            check_file(path, md5=md5, verify=verify)
        except UserError as damage:
            on_notice(f"{path} is damaged ({damage}), so it is downloaded again.")
            return False
        return True

    try:
        # Before the lock: a shared folder may be readable only.
        if is_sound():
            return False
        waiting = f"Another process is downloading {path}; waiting for it."
        with only_process(path, lambda: on_notice(waiting)):
            if is_sound():
                return False
            if path.exists():
                path.replace(path.with_name(path.name + ".damaged"))
            part = PartialFile(path)
            _download_verified(
                url, part, md5, verify, patience or Patience(), on_progress, on_notice
            )
            part.publish()
    except OSError as problem:
        raise UserError(_advice(url, path, _disk_problem(problem, path.parent))) from problem
    except (Refused, UserError) as problem:
        raise UserError(_advice(url, path, str(problem))) from problem
    return True


def _download_verified(
    url: str,
    part: PartialFile,
    md5: str | None,
    verify: Verify | None,
    patience: Patience,
    on_progress: Progress,
    on_notice: Notify,
) -> None:
    # Bytes may be wrong because they were stitched together or because a server without
    # Content-Length hung up; one clean second download tells this from a file that is wrong there.
    for last in (False, True):
        _download_complete(url, part, patience, on_progress, on_notice)
        try:
            check_file(part.path, md5=md5, verify=verify)
        except UserError as damage:
            part.discard()
            if last:
                raise UserError(f"the file that arrived is damaged: {damage}") from damage
            on_notice(f"What arrived from {url} is damaged ({damage}); trying once more.")
        else:
            return


def _download_complete(
    url: str, part: PartialFile, patience: Patience, on_progress: Progress, on_notice: Notify
) -> None:
    fruitless, furthest = 0, part.size()
    while True:
        try:
            transfer(
                url,
                part,
                timeout=patience.timeout,
                require_room=lambda missing: _require_room(part.path.parent, missing),
                on_progress=on_progress,
            )
            return
        except Transient as problem:
            fruitless = 0 if part.size() > furthest else fruitless
            furthest = max(furthest, part.size())
            fruitless += 1
            if fruitless >= patience.attempts:
                raise Refused(
                    f"{problem} ({fruitless} attempts in a row brought nothing)"
                ) from problem
            seconds = patience.wait(fruitless, problem.retry_after)
            on_notice(f"{url}: {problem}; next attempt in {seconds:g} s.")
            time.sleep(seconds)


def _require_room(folder: Path, missing: int) -> None:
    free = shutil.disk_usage(folder).free
    if missing > free:
        raise UserError(
            f"the disk of {folder} is full: {missing / 1e6:.1f} MB are missing "
            f"and {free / 1e6:.1f} MB are free"
        )


def _disk_problem(problem: OSError, folder: Path) -> str:
    if problem.errno in _NO_ROOM:
        return f"the disk of {folder} is full ({problem.strerror})"
    return f"{problem.strerror or problem}: {problem.filename or folder}"


def _advice(url: str, path: Path, reason: str) -> str:
    return (
        f"could not download {url}: {reason}; run the same command again to continue, "
        f"or put the file {path.name} into the folder {path.parent} by hand"
    )
