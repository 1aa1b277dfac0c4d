"""A real HTTP server on 127.0.0.1 that can misbehave the ways dataset servers do."""

import hashlib
import re
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Served:
    """One file and what goes wrong while it is served.

    `failures` are statuses answered first, one per request. `cuts` are byte counts after which
    the connection is closed, one per request that is answered with content.
    """

    content: bytes
    content_type: str = "application/octet-stream"
    failures: list[int] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    ranges: bool = True
    etag: bool = True
    longest_range: int | None = None
    says_length: bool = True
    announced_length: int | None = None
    seconds_per_block: float = 0.0
    block: int = 1 << 16


class FileServer:
    """Serves `files` (URL path -> `Served`); `requests` holds (path, Range header or None)."""

    def __init__(self) -> None:
        self.files: dict[str, Served] = {}
        self.requests: list[tuple[str, str | None]] = []
        files, requests = self.files, self.requests

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                requests.append((self.path, self.headers.get("Range")))
                served = files.get(self.path)
                if served is None:
                    self.send_error(404)
                elif served.failures:
                    self.send_error(served.failures.pop(0))
                else:
                    _answer(self, served)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                pass  # clients that are killed on purpose

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def ranges_asked(self, path: str) -> list[str | None]:
        """The Range header of every request for `path`, in order."""
        return [asked for requested, asked in self.requests if requested == path]

    def close(self) -> None:
        """Stops listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _answer(handler: BaseHTTPRequestHandler, served: Served) -> None:
    etag = f'"{hashlib.md5(served.content).hexdigest()}"'
    asked = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
    same_file = handler.headers.get("If-Range") in (None, etag)
    start = int(asked[1]) if asked and served.ranges and same_file else 0
    total = len(served.content)
    if start > total:
        handler.send_error(416)
        return
    stop = total
    if start and served.longest_range is not None:
        stop = min(total, start + served.longest_range)
    handler.send_response(206 if start else 200)
    if start:
        handler.send_header("Content-Range", f"bytes {start}-{stop - 1}/{total}")
    handler.send_header("Content-Type", served.content_type)
    if served.ranges and served.etag:
        handler.send_header("ETag", etag)
    if served.says_length:
        announced = stop - start if served.announced_length is None else served.announced_length
        handler.send_header("Content-Length", str(announced))
    handler.end_headers()
    end = min(stop, start + served.cuts.pop(0)) if served.cuts else stop
    for block_start in range(start, end, served.block):
        handler.wfile.write(served.content[block_start : min(block_start + served.block, end)])
        if served.seconds_per_block:
            time.sleep(served.seconds_per_block)
