"""The records of a run directory, read back whatever has become of them."""

import json
from pathlib import Path
from typing import Any

from harness.configuration.keys import flat
from harness.errors import UserError

# All that files of something else were seen to raise.
_UNREADABLE = (AttributeError, ValueError, TypeError, OSError, RecursionError)


class DamagedRecordError(ValueError):
    """The record is there but is no JSON object; the message says what it is instead."""


def read_record(file: Path) -> dict[str, Any] | None:
    """The record in `file`, None where there is no such file. Raises DamagedRecordError."""
    try:
        record = json.loads(file.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DamagedRecordError(f"{file} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise DamagedRecordError(f"{file} is not JSON") from error
    if not isinstance(record, dict):
        raise DamagedRecordError(f"{file} is not a record: it holds a {type(record).__name__}")
    return record


def record_or_note(file: Path, loss: str) -> dict[str, Any]:
    """The record in `file`, empty where there is none, or, which is told, none that can be read."""
    try:
        return read_record(file) or {}
    except DamagedRecordError as error:
        print(f"note: {error}: {loss}", flush=True)
        return {}


def read_settings(file: Path) -> dict[str, Any]:
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
