"""How a run's directory is found, locked, and made or taken up again."""

import json
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from filelock import FileLock, Timeout

from harness.configuration.schema import ProgramConfig
from harness.errors import UserError
from harness.files import write_text
from harness.run import layout
from harness.run.directory import EARLIER, RunDirectory, is_record, set_aside
from harness.run.finished import read_finished
from harness.run.naming import as_folder, changed_keys, run_name
from harness.run.provenance import describe_environment
from harness.run.records import read_settings, record_or_note

#: What a run directory has before anything is computed. wandb's folder is no result without rows.
_AT_THE_START = {"lock", layout.CONFIG, layout.ENVIRONMENT, layout.INPUTS, "wandb"}


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
    use, holds another run, or is not a run's. A new run that ends with a UserError before it made
    anything leaves no folder behind.
    """
    path = run_path(program, config, overrides, config_name, relevant)
    lock = FileLock(path / "lock")
    try:
        made = [folder for folder in (path, *path.parents) if not folder.exists()]
        path.mkdir(parents=True, exist_ok=True)
        # before a lock is left in a folder of others
        _require_run(path)
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
        if config.restart and (path / layout.CONFIG).exists():
            print(f"restart: the earlier records are in {set_aside(path)}", flush=True)
        continued = _claim(path, program, config, relevant)
        run = RunDirectory(path, program, continued)
        if read_finished(path) is None:
            from omegaconf import OmegaConf

            write_text(path / layout.CONFIG, OmegaConf.to_yaml(OmegaConf.create(asdict(config))))
            _write_environment(path / layout.ENVIRONMENT, program, config)
        yield run
    except UserError:
        # the directory may have been moved away while its run went on
        if made and path.exists() and not _has_results(path):
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


def _claim(
    path: Path, program: str, config: ProgramConfig, relevant: Collection[str] | None
) -> bool:
    """Whether this run was begun before; UserError if the folder holds another."""
    continued = (path / layout.CONFIG).exists()
    if continued:
        _check_same(path, program, config, relevant)
    return continued


def _require_run(path: Path) -> None:
    """UserError if the folder holds anything but a run."""
    strangers = sorted(c.name for c in path.iterdir() if is_record(c.name))
    if strangers and not (path / layout.CONFIG).exists():
        raise UserError(
            f"run_dir={path} has files ({', '.join(strangers[:3])}) but is not a run's"
            " directory: give an empty or a new one"
        )


def _check_same(
    path: Path, program: str, config: ProgramConfig, relevant: Collection[str] | None
) -> None:
    remedy = (
        "give this one another directory with run_dir=<folder>, or restart=true to keep the old"
        f" records in {path / EARLIER}"
    )
    other = record_or_note(path / layout.ENVIRONMENT, "it is written again").get("program", program)
    if other != program:
        raise UserError(f"{path} holds a run of {other}, not of {program}: {remedy}")
    changed = changed_keys(read_settings(path / layout.CONFIG), config, relevant)
    if changed:
        raise UserError(
            f"{path} holds a run of another configuration ({'; '.join(changed)}): {remedy}"
        )


def _write_environment(file: Path, program: str, config: ProgramConfig) -> None:
    """Describes this session; those of a continued run are kept in a list."""
    environment = {"program": program} | describe_environment(config.domain, config.engine)
    if earlier := record_or_note(file, "what is known of its earlier sessions is lost"):
        sessions = earlier.pop("earlier_sessions", [])
        sessions = sessions if isinstance(sessions, list) else []
        environment["earlier_sessions"] = [*sessions, earlier]
    write_text(file, json.dumps(environment, indent=2) + "\n")


def _has_results(path: Path) -> bool:
    """Whether there is a file that a run makes once it has begun, such as a checkpoint."""
    return any(
        file.is_file() and file.relative_to(path).parts[0] not in _AT_THE_START
        for file in path.rglob("*")
    )


def _remove(path: Path, made: Sequence[Path]) -> None:
    """Removes a new run's folder and those above it that were made for it and are empty."""
    shutil.rmtree(path)
    for folder in made[1:]:
        if any(folder.iterdir()):
            return
        folder.rmdir()
