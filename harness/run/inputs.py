"""inputs.json: the digests of what a run learns from besides its settings, none of which may
change under it."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.files import sha256_of, write_text
from harness.run import layout
from harness.run.records import record_or_note


@dataclass(frozen=True)
class Input:
    """What a run learns from, under its `key` in the record."""

    key: str
    #: where it is, as a user knows it; its file where it is one
    path: Path | str
    #: its SHA-256, asked for only where it is needed
    digest: Callable[[], str]

    @classmethod
    def file(cls, path: Path, key: str | None = None) -> "Input":
        """A file's bytes."""
        return cls(key or path.name, path, partial(sha256_of, path))

    @property
    def stamp(self) -> list[int] | None:
        """Size and time of the file: while they stay, so does what it holds. None: no file."""
        path = Path(self.path)
        if not path.is_file():
            return None
        found = path.stat()
        return [found.st_size, found.st_mtime_ns]


def record(run: Path, source: Input, *, goes_on: bool) -> None:
    """Writes the digest of `source` to the run's record.

    Raises UserError where the run `goes_on` from what another content led to.
    """
    inputs = record_or_note(
        run / layout.INPUTS, "which inputs this run began with is not known any more"
    )
    digest = source.digest()
    began_with = _known(inputs, source).get("sha256", digest)
    if goes_on and began_with != digest:
        raise UserError(
            f"{_changed(source, f'the run {run} began', began_with, digest)}: put the old one back,"
            " or start a new run with run_dir=<folder>"
        )
    inputs[source.key] = {"path": str(source.path), "sha256": digest, "stamp": source.stamp}
    write_text(run / layout.INPUTS, json.dumps(inputs, indent=2) + "\n")


def require_unchanged(run: Path, sources: Iterable[Input]) -> None:
    """UserError if the finished `run` learned from another content of one of `sources` than is
    there now. What it has no record of, or cannot be read any more, is not compared."""
    inputs = record_or_note(run / layout.INPUTS, "which inputs this run had is not known any more")
    for source in sources:
        known = _known(inputs, source)
        if "sha256" not in known or source.stamp is not None and source.stamp == known.get("stamp"):
            continue
        try:
            digest = source.digest()
        except (UserError, OSError):
            continue
        if digest != known["sha256"]:
            raise UserError(
                f"{run} is finished, but {_changed(source, 'then', known['sha256'], digest)}: put"
                " the old one back, or give restart=true to run it again (its records are then"
                " kept in `earlier`)"
            )


def _known(inputs: dict[str, Any], source: Input) -> dict[str, Any]:
    known = inputs.get(source.key)
    return known if isinstance(known, dict) else {}


def _changed(source: Input, since: str, before: Any, now: str) -> str:
    return f"{source.path} has changed since {since} (SHA-256 {str(before)[:12]}…, now {now[:12]}…)"
