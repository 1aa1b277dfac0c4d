"""A file that is still being downloaded, and where its bytes came from."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Origin:
    """What the server said of a file: enough to know whether a later answer is about the same one.

    `size` is in bytes; `validator` is a strong ETag or a Last-Modified date, for HTTP's If-Range.
    """

    url: str
    size: int | None
    validator: str | None


class PartialFile:
    """`<name>.part` next to the final file, with its `Origin` in `<name>.part.json`.

    A part without a readable origin of the same URL and a known size is never continued:
    two halves of different files look like a sound one to anything but a checksum.
    """

    def __init__(self, final: Path):
        self.final = final
        self.path = final.with_name(final.name + ".part")
        self._origin_path = final.with_name(final.name + ".part.json")

    def size(self) -> int:
        """Bytes on disk so far."""
        return self.path.stat().st_size if self.path.exists() else 0

    def origin(self, url: str) -> Origin | None:
        """Where the stored bytes came from, or None if they cannot be continued from `url`."""
        if not self.path.exists():
            return None
        try:
            fields = json.loads(self._origin_path.read_text())
            origin = Origin(fields["url"], fields["size"], fields["validator"])
        except (FileNotFoundError, json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):
            return None
        if origin.url != url or not isinstance(origin.size, int) or self.size() > origin.size:
            return None
        return origin

    def restart(self, origin: Origin) -> None:
        """Empties the part and records its new origin, before the first byte is written."""
        self.path.write_bytes(b"")
        temporary = self._origin_path.with_name(self._origin_path.name + ".tmp")
        temporary.write_text(json.dumps(asdict(origin)))
        os.replace(temporary, self._origin_path)

    def discard(self) -> None:
        """Removes the part and its origin, where they exist."""
        self.path.unlink(missing_ok=True)
        self._origin_path.unlink(missing_ok=True)

    def publish(self) -> None:
        """Gives the finished and verified part its final name."""
        # A power cut right after the rename must not leave an empty file under the final name.
        with self.path.open("rb") as stream:
            os.fsync(stream.fileno())
        os.replace(self.path, self.final)
        self._origin_path.unlink(missing_ok=True)
