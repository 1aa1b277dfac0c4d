"""Downloads published datasets one after the other and reports on them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table
from rich.text import Text

from experience.data.published import PublishedFile
from harness.download.checked import Patience, fetch_file
from harness.errors import UserError

_COLOURS = {"on disk": "green", "downloaded": "green", "absent": "yellow", "failed": "red"}


@dataclass(frozen=True)
class Outcome:
    """What became of one dataset."""

    file: PublishedFile
    status: Literal["on disk", "downloaded", "failed"]


def download_datasets(
    files: Iterable[PublishedFile], patience: Patience, console: Console
) -> list[Outcome]:
    """Makes sure that every file is on this disk and sound; one failure does not stop the others.

    Files already there are verified, not downloaded. Bars, notices and the
    reasons of failures go to `console`.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        return [_download(file, patience, progress) for file in files]


def _download(file: PublishedFile, patience: Patience, progress: Progress) -> Outcome:
    task = progress.add_task(f"checking {file.name}", total=None)

    def show(done: int, total: int | None) -> None:
        progress.update(task, description=file.name, completed=done, total=total)

    def say(notice: str) -> None:
        progress.console.print(notice, markup=False, highlight=False, soft_wrap=True)

    try:
        new = fetch_file(
            file.url,
            file.path,
            md5=file.md5,
            verify=file.check_contents,
            patience=patience,
            on_progress=show,
            on_notice=say,
        )
    except UserError as error:
        say(f"error: {file.name}: {error}")
        return Outcome(file, "failed")
    finally:
        progress.remove_task(task)
    status = "downloaded" if new else "on disk"
    say(f"{file.name}: {status}")
    return Outcome(file, status)


def overview(files: Iterable[PublishedFile]) -> Table:
    """Which datasets there are, and which lie on this disk (not verified: that takes minutes)."""
    return _table("domain", ((file, file.domain, _presence(file)) for file in files))


def summary(outcomes: Iterable[Outcome]) -> Table:
    """Name, file, size and status of every dataset."""
    return _table("file", ((o.file, o.file.path.name, o.status) for o in outcomes))


def plan(files: Iterable[PublishedFile]) -> list[str]:
    """What `download_datasets` would do, a sentence for each file."""
    return [
        f"{file.name}: verify {file.path}"
        if file.path.exists()
        else f"{file.name}: download {file.url} to {file.path}"
        for file in files
    ]


def _presence(file: PublishedFile) -> str:
    return "on disk" if file.path.exists() else "absent"


def _table(second_column: str, rows: Iterable[tuple[PublishedFile, str, str]]) -> Table:
    table = Table("dataset", second_column, "size", "status")
    table.columns[0].no_wrap = True
    table.columns[1].overflow = "fold"
    table.columns[2].justify = "right"
    for file, second, status in rows:
        size = f"{file.path.stat().st_size / 1e6:.1f} MB" if file.path.exists() else "-"
        table.add_row(file.name, second, size, Text(status, style=_COLOURS[status]))
    return table
