"""One run, one directory: its lock, its records, and whether it may be continued."""

import hashlib
import json
import re
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from harness.configuration.schema import ProgramConfig
from harness.errors import UserError
from harness.files import write_text
from harness.run.finished import Finished, read_finished, write_finished
from harness.run.naming import as_folder, changed_keys, flat, run_name
from harness.run.provenance import describe_environment
from harness.run.records import DamagedRecordError, read_record

#: All that files of something else were seen to raise.
_UNREADABLE = (AttributeError, ValueError, TypeError, OSError, RecursionError)
#: Of a run directory: the records of earlier trainings in it, in numbered folders.
EARLIER = "earlier"
# What the directory of a run that has not begun may hold; a kill during the very first write
# leaves its temporary file.
_NO_RUN = re.compile(rf"lock|{EARLIER}|\..*\.part")


@dataclass(frozen=True)
class RunDirectory:
    """An open run directory, locked by this process."""

    path: Path
    program: str
    # Whether an earlier process began this run.
    continued: bool

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoint"

    @property
    def plots(self) -> Path:
        return self.path / "plots"

    @property
    def agent(self) -> Path:
        return self.path / "agent"

    @property
    def finished(self) -> Finished | None:
        """The record of a complete run; UserError if a file that belongs to it is gone."""
        record = read_finished(self.path)
        if record is not None and (missing := record.missing(self.path)):
            raise UserError(
                f"{self.path} is finished, but {', '.join(missing)} is not there any more: put it"
                f" back, or give restart=true to run it again (its records are then kept in"
                f" {self.path / EARLIER})"
            )
        return record

    def finish(
        self,
        files: Sequence[Path] = (),
        *,
        objective: float | None = None,
        copies: Mapping[Path, Path] | None = None,
        **figures: float,
    ) -> None:
        """Marks the run complete; `files`, all below it, are those without which it is not.

        `objective` is what a sweeper optimises, `copies` says which of its files are also kept
        elsewhere. Its checkpoint goes: a finished run needs none, and a replay has gigabytes.
        """
        write_finished(self.path, files, figures, objective, copies or {})
        self.clear()

    def clear(self) -> None:
        """Removes what a finished run needs no more."""
        shutil.rmtree(self.checkpoint, ignore_errors=True)

    def depends_on(self, file: Path) -> None:
        """Records the file's SHA-256 in inputs.json.

        Raises UserError where the run would go on from a checkpoint that another content led to.
        """
        record = self.path / "inputs.json"
        inputs = _sound(record, "which inputs this run began with is not known any more")
        with open(file, "rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        before = inputs.get(file.name)
        began_with = before.get("sha256", digest) if isinstance(before, dict) else digest
        if began_with != digest and self.checkpoint.exists():
            raise UserError(
                f"{file} has changed since the run {self.path} began (SHA-256 {began_with[:12]}…,"
                f" now {digest[:12]}…): put the old one back, or start a new run with"
                " run_dir=<folder>"
            )
        inputs[file.name] = {"path": str(file), "sha256": digest}
        write_text(record, json.dumps(inputs, indent=2) + "\n")


@contextmanager
def open_run(
    program: str,
    config: ProgramConfig,
    overrides: Sequence[str] = (),
    config_name: str = "base",
    relevant: Collection[str] | None = None,
) -> Iterator[RunDirectory]:
    """Makes or re-opens the run's directory and holds its lock.

    `overrides` are those of the command line, which name the run; `relevant` are the keys and
    groups that its program learns from, None for all. Raises UserError when the directory is in
    use, holds another run, or is not a run's. A new run that ends with a UserError before it logged
    anything leaves no folder behind.
    """
    path = run_path(program, config, overrides, config_name, relevant)
    lock = FileLock(path / "lock")
    try:
        made = [folder for folder in (path, *path.parents) if not folder.exists()]
        path.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(
            f"the run directory {path} is in use by a live process: wait for it or stop it, or give"
            " this run another one with run_dir=<folder>"
        ) from None
    except OSError as error:
        raise UserError(
            f"the run directory {path} cannot be made ({error.strerror}): give another one with"
            " run_dir=<folder> or run_root=<folder>"
        ) from error
    try:
        if config.restart and (path / "config.yaml").exists():
            print(f"restart: the earlier records are in {set_aside(path)}", flush=True)
        continued = _claim(path, program, config, relevant)
        run = RunDirectory(path, program, continued)
        if read_finished(path) is None:
            from omegaconf import OmegaConf

            write_text(path / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(asdict(config))))
            _write_environment(path / "environment.json", program, config)
        yield run
    except UserError:
        # the directory may have been moved away while its run went on
        if made and path.exists() and not (path / "metrics.jsonl").exists():
            _remove(path, made)
        raise
    finally:
        lock.release()


def run_path(
    program: str,
    config: ProgramConfig,
    overrides: Sequence[str],
    config_name: str,
    relevant: Collection[str] | None,
) -> Path:
    """Where a run is kept."""
    if config.run_dir is not None:
        return Path(config.run_dir).expanduser()
    name = run_name(overrides, config_name, relevant)
    root = Path(config.run_root).expanduser()
    return root / program / as_folder(config.dataset_name) / name / f"seed{config.seed}"


def set_aside(path: Path, keep: Collection[str] = ()) -> Path:
    """Moves the records of the run in this folder, but those named in `keep`, into a new numbered
    folder below `earlier`, whose path it returns."""
    home = path / EARLIER
    numbers = [int(child.name) for child in home.glob("*") if child.name.isdecimal()]
    target = home / str(max(numbers, default=0) + 1)
    target.mkdir(parents=True)
    # config.yaml last: a kill in between leaves a run that can be set aside again
    for child in sorted(path.iterdir(), key=lambda child: child.name == "config.yaml"):
        if child.name not in keep and not _NO_RUN.fullmatch(child.name):
            child.rename(target / child.name)
    return target


def read_config(file: Path) -> dict[str, Any]:
    """A run's config.yaml as dotted keys and values; UserError if it cannot be read."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    try:
        return flat(OmegaConf.to_container(OmegaConf.load(file)))
    except (OmegaConfBaseException, YAMLError, *_UNREADABLE) as error:
        raise UserError(
            f"{file} cannot be read: move the directory away, or give another with run_dir=<folder>"
        ) from error


def _sound(file: Path, loss: str) -> dict[str, Any]:
    """The record in `file`, empty where there is none, or, which is told, none that can be read."""
    try:
        return read_record(file) or {}
    except DamagedRecordError as error:
        print(f"note: {error}: {loss}", flush=True)
        return {}


def _claim(
    path: Path, program: str, config: ProgramConfig, relevant: Collection[str] | None
) -> bool:
    """Whether this run was begun before; UserError if the folder holds anything else."""
    continued = (path / "config.yaml").exists()
    if continued:
        _check_same(path, program, config, relevant)
    elif strangers := sorted(c.name for c in path.iterdir() if not _NO_RUN.fullmatch(c.name)):
        raise UserError(
            f"run_dir={path} has files ({', '.join(strangers[:3])}) but is not a run's"
            " directory: give an empty or a new one"
        )
    return continued


def _check_same(
    path: Path, program: str, config: ProgramConfig, relevant: Collection[str] | None
) -> None:
    remedy = (
        "give this one another directory with run_dir=<folder>, or restart=true to keep the old"
        f" records in {path / EARLIER}"
    )
    other = _sound(path / "environment.json", "it is written again").get("program", program)
    if other != program:
        raise UserError(f"{path} holds a run of {other}, not of {program}: {remedy}")
    changed = changed_keys(read_config(path / "config.yaml"), config, relevant)
    if changed:
        raise UserError(
            f"{path} holds a run of another configuration ({'; '.join(changed)}): {remedy}"
        )


def _write_environment(file: Path, program: str, config: ProgramConfig) -> None:
    """Describes this session; those of a continued run are kept in a list."""
    environment = {"program": program} | describe_environment(config.domain, config.engine)
    if earlier := _sound(file, "what is known of its earlier sessions is lost"):
        sessions = earlier.pop("earlier_sessions", [])
        sessions = sessions if isinstance(sessions, list) else []
        environment["earlier_sessions"] = [*sessions, earlier]
    write_text(file, json.dumps(environment, indent=2) + "\n")


def _remove(path: Path, made: Sequence[Path]) -> None:
    """Removes a new run's folder and those above it that were made for it and are empty."""
    shutil.rmtree(path)
    for folder in made[1:]:
        if any(folder.iterdir()):
            return
        folder.rmdir()
