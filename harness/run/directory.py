"""One run, one directory: its name, its lock, and whether it may be continued."""

import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from harness.configuration.schema import ProgramConfig
from harness.errors import UserError
from harness.files import write_text
from harness.run.provenance import describe_environment
from harness.run.records import DamagedRecordError, read_record

# Keys that change where and how a run is shown, not what it computes: a continued run may change
# them, and they do not name it.
_FREE_KEYS = ("run_root", "run_dir", "wandb", "checkpoint", "hydra")
_NAMED_ELSEWHERE = ("seed", "dataset_name", "sweep")
#: All that files of something else were seen to raise.
_UNREADABLE = (AttributeError, ValueError, TypeError, OSError, RecursionError)
_PLAIN_CONFIGS = ("base", "base_markov", "offline_bandit")
_LONGEST_NAME = 150


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
    def finished(self) -> bool:
        """Whether the run is complete, and the files that it promised are still there."""
        record = self._record()
        return record is not None and all(Path(output).exists() for output in record["outputs"])

    @property
    def figures(self) -> dict[str, float]:
        """The final figures of a finished run."""
        return (self._record() or {}).get("figures", {})

    def finish(self, outputs: Sequence[Path] = (), **figures: float) -> None:
        """Marks the run complete; `outputs` are the files without which it is not.

        Its checkpoint goes: a finished run needs none, and a replay has gigabytes.
        """
        record = {
            "finished": datetime.now().astimezone().isoformat(timespec="seconds"),
            "outputs": [str(output.absolute()) for output in outputs],
            "figures": figures,
        }
        write_text(self._finished_file, json.dumps(record, indent=2) + "\n")
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
        inputs[file.name] = {"path": str(file.absolute()), "sha256": digest}
        write_text(record, json.dumps(inputs, indent=2) + "\n")

    @property
    def _finished_file(self) -> Path:
        return self.path / "finished.json"

    def _record(self) -> dict[str, Any] | None:
        file = self._finished_file
        try:
            record = read_record(file)
            if record is not None and not _is_finished(record):
                raise DamagedRecordError(f"{file} does not say what belongs to the run")
        except DamagedRecordError as error:
            if not self.checkpoint.exists():
                raise UserError(
                    f"{error}: whether the run is whole cannot be told, so move its directory away"
                    " or give another one with run_dir=<folder>"
                ) from error
            print(f"note: {error}: the run goes on from its checkpoint", flush=True)
            _discard(file)
            return None
        return record


@contextmanager
def open_run(
    program: str, config: ProgramConfig, overrides: Sequence[str] = (), config_name: str = "base"
) -> Iterator[RunDirectory]:
    """Makes or re-opens the run's directory and holds its lock.

    `overrides` are those of the command line, which name the run. Raises UserError when the
    directory is in use, holds the run of another configuration, or is not a run's.
    """
    if config.run_dir is not None:
        path = Path(config.run_dir)
    else:
        name = run_name(overrides, config_name)
        dataset = _as_folder(config.dataset_name)
        path = Path(config.run_root) / program / dataset / name / f"seed{config.seed}"
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"the run directory {path} cannot be made ({error.strerror}): give another one with"
            " run_dir=<folder> or run_root=<folder>"
        ) from error
    lock = FileLock(path / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(
            f"the run directory {path} is in use by a live process: wait for it or stop it, or give"
            " this run another one with run_dir=<folder>"
        ) from None
    try:
        continued = _claim(path, config)
        run = RunDirectory(path, program, continued)
        if not run.finished:
            _write_environment(path / "environment.json", config)
        yield run
    finally:
        lock.release()


def run_name(overrides: Sequence[str], config_name: str) -> str:
    """The folder name that tells a run from its siblings: whatever was overridden, in order."""
    parts = [] if config_name in _PLAIN_CONFIGS else [config_name]
    # A sweep passes on values in Hydra's spelling (True, 1e-06), which a single run must share.
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    for override in sorted(parsed, key=lambda override: override.key_or_group):
        key = override.key_or_group
        if key not in _NAMED_ELSEWHERE and key.partition(".")[0] not in _FREE_KEYS:
            parts.append(f"{key}={override.get_value_element_as_str()}")
    name = _as_folder(",".join(parts)) or "default"
    if len(name) > _LONGEST_NAME:
        digest = hashlib.sha256(name.encode()).hexdigest()[:8]
        name = f"{name[:_LONGEST_NAME]}-{digest}"
    return name


def _as_folder(text: str) -> str:
    return re.sub(r"[^\w.=,+-]", "_", text)


def _claim(path: Path, config: ProgramConfig) -> bool:
    """Writes or compares config.yaml; True if it was there."""
    file = path / "config.yaml"
    continued = file.exists()
    if continued:
        _check_same(path, read_config(file), _flat(asdict(config)))
    else:
        # a kill during the very first write leaves its temporary file
        own = re.compile(r"lock|\..*\.part")
        strangers = sorted(c.name for c in path.iterdir() if not own.fullmatch(c.name))
        if strangers:
            raise UserError(
                f"run_dir={path} has files ({', '.join(strangers[:3])}) but is not a run's"
                " directory: give an empty or a new one"
            )
    write_text(file, OmegaConf.to_yaml(OmegaConf.create(asdict(config))))
    return continued


def read_config(file: Path) -> dict[str, Any]:
    """A run's config.yaml as dotted keys and values; UserError if it cannot be read."""
    try:
        return _flat(OmegaConf.to_container(OmegaConf.load(file)))
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


def _is_finished(record: dict[str, Any]) -> bool:
    outputs, figures = record.get("outputs"), record.get("figures")
    return (
        isinstance(outputs, list)
        and all(isinstance(output, str) for output in outputs)
        and isinstance(figures, dict)
    )


def _discard(record: Path) -> None:
    if record.is_file():
        record.unlink()


def _check_same(path: Path, old: dict[str, Any], new: dict[str, Any]) -> None:
    keys = [key for key in {**old, **new} if key.partition(".")[0] not in _FREE_KEYS]
    changed = [
        f"{key}: {old.get(key, '(absent)')} -> {new.get(key, '(absent)')}"
        for key in keys
        if key not in old or key not in new or old[key] != new[key]
    ]
    if changed:
        raise UserError(
            f"{path} holds a run of another configuration ({'; '.join(changed)}): give this one"
            " another directory with run_dir=<folder>, or move the old one away"
        )


def _flat(group: Any, prefix: str = "") -> dict[str, Any]:
    """Nested groups as dotted keys; an empty group keeps its own key."""
    flat = {}
    for name, value in group.items():
        if isinstance(value, dict) and value:
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + str(name)] = value
    return flat


def _write_environment(file: Path, config: ProgramConfig) -> None:
    """Describes this session; those of a continued run are kept in a list."""
    environment = describe_environment(config.domain, config.engine)
    if earlier := _sound(file, "what is known of its earlier sessions is lost"):
        sessions = earlier.pop("earlier_sessions", [])
        sessions = sessions if isinstance(sessions, list) else []
        environment["earlier_sessions"] = [*sessions, earlier]
    write_text(file, json.dumps(environment, indent=2) + "\n")
