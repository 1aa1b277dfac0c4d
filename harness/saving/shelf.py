"""The folder in which checkpoints stand: which are there, and what may be cleared away."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.files import disk_errors
from harness.saving.manifest import DamagedError, Sealed, read_manifest, verify

SEGMENTS = "segments"
# Numbered, because a step may be saved twice (periodically, then at the end).
_NAME = re.compile(r"(\d+)-step(\d+)")
_UNFINISHED, _DAMAGED = ".unfinished", ".damaged"
# what a kill in the middle of a save or a fallback leaves; orbax wrote those of version 0.1.0
_LEFT_OVER = re.compile(_NAME.pattern + r"(\.unfinished|\.damaged|\.orbax-checkpoint-tmp.*)")


@dataclass(frozen=True)
class Saved:
    """A checkpoint that was written to its end; whether it is still sound, its manifest says."""

    number: int
    step: int
    path: Path


def checkpoints(directory: Path) -> list[Saved]:
    """The complete checkpoints, oldest first."""
    found = []
    for child in directory.iterdir() if directory.is_dir() else ():
        if match := _NAME.fullmatch(child.name):
            found.append(Saved(int(match[1]), int(match[2]), child))
    return sorted(found, key=lambda saved: saved.number)


def new_target(directory: Path, step: int) -> tuple[Path, Path]:
    """The next checkpoint's folder, and the one that it is until it is complete."""
    older = checkpoints(directory)
    number = older[-1].number + 1 if older else 0
    target = directory / f"{number:06d}-step{step}"
    return target, target.with_name(target.name + _UNFINISHED)


def set_aside(checkpoint: Path) -> None:
    """A damaged checkpoint is one no more, but stays to be looked at until the next is saved."""
    aside = checkpoint.with_name(checkpoint.name + _DAMAGED)
    _remove(aside)
    checkpoint.rename(aside)


def clear_left_over(directory: Path) -> None:
    """Removes what no checkpoint is."""
    for child in directory.iterdir() if directory.is_dir() else ():
        if _LEFT_OVER.fullmatch(child.name):
            _remove(child)


def prune(directory: Path, keep: int) -> None:
    """Removes all but the newest checkpoints, and the segments that none of those needs."""
    older = checkpoints(directory)
    for checkpoint in older[:-keep]:
        _remove(checkpoint.path)
    needed: set[str] = set()
    for checkpoint in older[-keep:]:
        try:
            needed |= read_manifest(checkpoint.path)["files"].keys()
        except DamagedError:
            # it will be passed over; its number stays taken until it is the oldest
            continue
    segments = directory / SEGMENTS
    for file in segments.iterdir() if segments.is_dir() else ():
        if f"{SEGMENTS}/{file.name}" not in needed:
            file.unlink()


def copy(source: Path | str, directory: Path | str) -> Path:
    """Copies the newest checkpoint of `source` into `directory`, then drops the older ones there.

    One that is there already stays as it is. Raises UserError for a damaged one and a full disk.
    """
    newest, directory = checkpoints(Path(source))[-1].path, Path(directory)
    files = _content(newest)
    if files is None:
        raise UserError(f"{newest} is damaged, so it is not copied")
    with disk_errors(directory):
        directory.mkdir(parents=True, exist_ok=True)
        clear_left_over(directory)
        present = checkpoints(directory)
        if present and _content(present[-1].path) == files:
            return present[-1].path
        target, unfinished = new_target(directory, checkpoints(Path(source))[-1].step)
        shutil.copytree(newest, unfinished)
        unfinished.rename(target)
        prune(directory, keep=1)
    return target


def same(one: Path | str, other: Path | str) -> bool:
    """Whether the newest checkpoints of two folders are there, sound and equal."""
    newest = [checkpoints(Path(folder))[-1:] for folder in (one, other)]
    contents = [_content(saved.path) for found in newest for saved in found]
    return len(contents) == 2 and None not in contents and contents[0] == contents[1]


def _content(checkpoint: Path) -> dict[str, Any] | None:
    """The seals of a sound checkpoint's files, None of a damaged one's."""
    try:
        files = read_manifest(checkpoint)["files"]
        for name, seal in files.items():
            verify(checkpoint / name, Sealed(**seal))
    except DamagedError:
        return None
    return files


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
