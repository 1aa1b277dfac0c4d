"""finished.json: what a finished run consists of, told relative to it, so that it may be moved."""

import filecmp
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.files import atomic_write, write_text
from harness.run import layout
from harness.run.records import DamagedRecordError, read_record


@dataclass(frozen=True)
class Finished:
    """The record of a finished run."""

    finished: str
    #: its files, relative to the run
    files: list[str]
    figures: dict[str, float]
    #: what a sweeper optimises
    objective: float | None = None
    #: a file of the run → where else it is kept, as the configuration says
    copies: dict[str, str] = field(default_factory=dict)

    def missing(self, run: Path) -> list[str]:
        """Files without which the run is not whole."""
        return [name for name in self.files if not (run / name).exists()]


def write_finished(
    run: Path,
    files: Sequence[Path],
    figures: dict[str, float],
    objective: float | None,
    copies: Mapping[Path, Path],
) -> None:
    """Marks the run as finished; `files` are below it, and so are the keys of `copies`."""
    record = Finished(
        finished=datetime.now().astimezone().isoformat(timespec="seconds"),
        files=[file.relative_to(run).as_posix() for file in files],
        figures=figures,
        objective=objective,
        copies={file.relative_to(run).as_posix(): str(other) for file, other in copies.items()},
    )
    write_text(run / layout.FINISHED, json.dumps(asdict(record), indent=2) + "\n")


def read_finished(run: Path) -> Finished | None:
    """The record of the run in this folder, None if it is not finished.

    A damaged one is passed over where a checkpoint is there to go on from. Raises UserError where
    none is.
    """
    file = run / layout.FINISHED
    try:
        stored = read_record(file)
        return None if stored is None else _sound(run, file, stored)
    except DamagedRecordError as error:
        if not (run / layout.CHECKPOINT).exists():
            raise UserError(
                f"{error}: whether the run is whole cannot be told, so move its directory away or"
                " give another one with run_dir=<folder>"
            ) from error
        print(f"note: {error}: the run goes on from its checkpoint", flush=True)
        if file.is_file():
            file.unlink()
        return None


def _sound(run: Path, file: Path, stored: dict[str, Any]) -> Finished:
    """The record, of this or of an earlier version; raises DamagedRecordError."""
    names: Any = stored.get("outputs", stored.get("files"))
    figures: Any = stored.get("figures")
    copies: Any = stored.get("copies", {})
    objective: Any = stored.get("objective")
    sound = (
        isinstance(names, list)
        and isinstance(figures, dict)
        and isinstance(copies, dict)
        and all(isinstance(word, str) for word in (*names, *figures, *copies, *copies.values()))
        and all(isinstance(number, int | float) for number in figures.values())
        and (objective is None or isinstance(objective, int | float))
    )
    if not sound:
        raise DamagedRecordError(f"{file} does not say what belongs to the run")
    when = str(stored.get("finished", ""))
    if "outputs" in stored:
        files = _own_files(run, names)
        return Finished(
            finished=when,
            files=files,
            figures=figures,
            objective=next(iter(figures.values()), None),
        )
    return Finished(finished=when, files=names, figures=figures, objective=objective, copies=copies)


def _own_files(run: Path, absolute: Sequence[str]) -> list[str]:
    """What belongs to a run of before runs could be moved, whose record has absolute paths.

    Those that are in the run by their names belong to it. If none is, they are elsewhere (a world
    model): looked for where they were and, as their checkout may have moved, from here.
    """
    outputs = [Path(output) for output in absolute]
    files = [output.name for output in outputs if (run / output.name).exists()]
    if files:
        return files
    return [output.name for output in outputs if not any(map(Path.exists, _tails(output)))]


def _tails(path: Path) -> Iterator[Path]:
    """The path itself, then without its first folders."""
    yield path
    yield from (Path(*path.parts[start:]) for start in range(1, len(path.parts)))


def place(file: Path, target: Path) -> None:
    """Copies `file` to `target`, replacing what is there.

    No link: who writes another file to `target` in place (cp, wget) must not change the run's own.
    """
    with atomic_write(target) as temporary:
        shutil.copyfile(file, temporary)


def is_foreign(run: Path, target: Path) -> bool:
    """Whether `target` is there and neither the run nor an earlier one in its folder made it."""
    return target.exists() and not any(
        filecmp.cmp(own, target, shallow=False) for own in run.rglob(target.name)
    )


def put_aside(target: Path) -> Path:
    """Gives `target` the first name that is free, `<name>.before-<n>`, and returns it."""
    aside = (target.with_name(f"{target.name}.before-{number}") for number in count(1))
    return target.rename(next(path for path in aside if not path.exists()))


def renew_copies(run: Path, record: Finished) -> list[str]:
    """Puts back the copies of a finished run that are gone; what is worth telling, a line each."""
    told = []
    for name, other in record.copies.items():
        file, copy = run / name, Path(other).expanduser()
        if not copy.exists():
            place(file, copy)
            told.append(f"{copy} was gone: put back from {file}")
        elif not filecmp.cmp(file, copy, shallow=False):
            told.append(
                f"warning: {copy} is not what this run made, which is {file}: copy it there to use"
                " it"
            )
    return told
