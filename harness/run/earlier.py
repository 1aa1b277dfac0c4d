"""What an earlier training left in a run's directory, moved out of the way of the next one."""

import re
from collections.abc import Collection
from pathlib import Path

#: Of a run directory: the records of earlier trainings in it, in numbered folders.
EARLIER = "earlier"
# What the directory of a run that has not begun may hold; a kill during the very first write
# leaves its temporary file.
_NO_RUN = re.compile(rf"lock|{EARLIER}|\..*\.part")


def is_record(name: str) -> bool:
    """Whether a file of this name belongs to a run that has begun, or to something else."""
    return not _NO_RUN.fullmatch(name)


def set_aside(path: Path, keep: Collection[str] = ()) -> Path:
    """Moves the records of the run in this folder, but those named in `keep`, into a new numbered
    folder below `earlier`, whose path it returns."""
    home = path / EARLIER
    numbers = [int(child.name) for child in home.glob("*") if child.name.isdecimal()]
    target = home / str(max(numbers, default=0) + 1)
    target.mkdir(parents=True)
    # config.yaml last: a kill in between leaves a run that can be set aside again
    for child in sorted(path.iterdir(), key=lambda child: child.name == "config.yaml"):
        if child.name not in keep and is_record(child.name):
            child.rename(target / child.name)
    return target
