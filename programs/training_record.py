"""How long a world model was trained, kept beside it: its own file is the published format's."""

import json
from pathlib import Path

from harness.files import sha256_of, write_text
from harness.run.records import DamagedRecordError, read_record


def record_path(model: Path) -> Path:
    """`ensemble_seed0.json` beside `ensemble_seed0.eqx`."""
    return model.with_suffix(".json")


def write_record(model: Path, epochs: int) -> Path:
    """Notes the epochs that the ensemble in the file `model` was trained for."""
    path = record_path(model)
    write_text(path, json.dumps({"sha256": sha256_of(model), "epochs": epochs}, indent=2) + "\n")
    return path


def trained_epochs(model: Path) -> int | None:
    """The epochs noted for `model`; None where there is no note, or it is about another file."""
    try:
        record = read_record(record_path(model)) or {}
    except DamagedRecordError:
        return None
    epochs = record.get("epochs")
    is_known = isinstance(epochs, int) and record.get("sha256") == sha256_of(model)
    return epochs if is_known else None
