"""One HTTP request that starts or continues a partial file."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from harness.download.partial_file import Origin, PartialFile

if TYPE_CHECKING:
    import requests

_CHUNK = 1 << 16
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")
_TRY_AGAIN_STATUSES = {408, 425, 429}


class Transient(Exception):
    """A failure that another attempt may not see; `retry_after` is the server's wish in seconds."""

    def __init__(self, reason: str, retry_after: float = 0.0):
        super().__init__(reason)
        self.retry_after = retry_after


class Refused(Exception):
    """A failure that every further attempt would see too."""


def transfer(
    url: str,
    part: PartialFile,
    *,
    timeout: float,
    require_room: Callable[[int], None],
    on_progress: Callable[[int, int | None], None],
) -> None:
    """Requests what `part` lacks and appends it; returns once the part is as long as the file.

    `timeout` is the longest silence of the server in seconds; `require_room(missing)` raises if
    that many more bytes do not fit. Raises `Transient`, `Refused`, or OSError from the disk; the
    bytes that did arrive stay in the part.
    """
    import requests
    import urllib3

    known = part.origin(url)
    offset = part.size() if known is not None else 0
    if known is not None and offset == known.size:
        on_progress(offset, known.size)
        return
    headers = {"Accept-Encoding": "identity"}
    if known is not None and offset:
        headers["Range"] = f"bytes={offset}-"
        if known.validator is not None:
            headers["If-Range"] = known.validator
    try:
        with requests.get(url, headers=headers, stream=True, timeout=timeout) as response:
            _refuse_failures(response, part)
            origin = _origin(url, response)
            if response.status_code == 206:
                _require_same_file(response, offset, known, part)
            else:
                part.restart(origin)
                offset = 0
            if origin.size is not None:
                require_room(origin.size - offset)
            on_progress(offset, origin.size)
            # Whatever has arrived is written at once: a whole chunk that a cut connection leaves
            # unfinished would be lost, and a server that cuts early would never get further.
            with part.path.open("ab", buffering=0) as stream:
                while chunk := response.raw.read1(_CHUNK, decode_content=True):
                    stream.write(chunk)
                    offset += len(chunk)
                    on_progress(offset, origin.size)
    except (
        requests.exceptions.ConnectionError,
        requests.exceptions.Timeout,
        urllib3.exceptions.ProtocolError,
        urllib3.exceptions.TimeoutError,
        urllib3.exceptions.DecodeError,
    ) as problem:
        raise Transient(f"the connection failed ({_innermost(problem)})") from problem
    except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as problem:
        raise Refused(str(problem)) from problem
    if origin.size is not None and offset != origin.size:
        raise Transient(f"the connection ended after {offset} of {origin.size} bytes")


def _refuse_failures(response: requests.Response, part: PartialFile) -> None:
    status = response.status_code
    said = f"the server answered {status} {response.reason}"
    if status == 416:
        # What is stored is longer than what the server has: another file by the same name.
        part.discard()
        raise Transient(said)
    if status in _TRY_AGAIN_STATUSES or status >= 500:
        asked_for = response.headers.get("Retry-After", "")
        raise Transient(said, float(asked_for) if asked_for.isdecimal() else 0.0)
    if status not in (200, 206):
        raise Refused(said)
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise Refused(f"{said} with a web page instead of the file")


def _origin(url: str, response: requests.Response) -> Origin:
    headers = response.headers
    size = None
    if response.status_code == 206:
        found = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", ""))
        size = int(found[2]) if found else None
    elif headers.get("Content-Length", "").isdecimal() and "Content-Encoding" not in headers:
        size = int(headers["Content-Length"])
    etag = headers.get("ETag")
    # HTTP allows only strong validators where two halves are to be joined.
    strong = etag if etag and not etag.startswith("W/") else headers.get("Last-Modified")
    return Origin(url, size, strong)


def _require_same_file(
    response: requests.Response, offset: int, known: Origin | None, part: PartialFile
) -> None:
    found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if known is None or not found or (int(found[1]), int(found[2])) != (offset, known.size):
        part.discard()
        raise Transient("the server continued another file than the one that was begun")


def _innermost(problem: BaseException) -> str:
    while problem.__context__ is not None:
        problem = problem.__context__
    return str(problem) or type(problem).__name__
