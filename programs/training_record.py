"""How long a world model was trained, kept beside it: its own file is the published format's."""

import hashlib
import json
from pathlib import Path

from harness.files import write_text


def record_path(model: Path) -> Path:
    """`ensemble_seed0.json` beside `ensemble_seed0.eqx`."""
    return model.with_suffix(".json")


def write_record(model: Path, epochs: int) -> Path:
    """Notes the epochs that the ensemble in the file `model` was trained for."""
    path = record_path(model)
    write_text(path, json.dumps({"sha256": _digest(model), "epochs": epochs}, indent=2) + "\n")
    return path


def trained_epochs(model: Path) -> int | None:
    """The epochs noted for `model`; None where there is no note, or it is about another file."""
    path = record_path(model)
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return int(record["epochs"]) if record["sha256"] == _digest(model) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _digest(model: Path) -> str:
    with open(model, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
