"""The JSON records of a run directory, read back whatever has become of them."""

import json
from pathlib import Path
from typing import Any


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
