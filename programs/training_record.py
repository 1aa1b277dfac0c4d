"""How a world model was trained, kept beside it: its own file is the published format's."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.configuration.bandit_groups import BanditEnsembleConfig
from harness.configuration.groups import EnsembleConfig
from harness.files import sha256_of, write_text
from harness.run.records import DamagedRecordError, read_record

# Of an ensemble's group: what its training does not learn from.
_NOT_LEARNED = ("epoch_caps", "domain", "save_dir", "plot_dir", "devices")


def record_path(model: Path) -> Path:
    """`ensemble_seed0.json` beside `ensemble_seed0.eqx`."""
    return model.with_suffix(".json")


def write_record(model: Path, epochs: int, settings: EnsembleConfig | BanditEnsembleConfig) -> Path:
    """Notes the epochs and the settings that the ensemble in the file `model` was trained with."""
    path = record_path(model)
    record = {"sha256": sha256_of(model), "epochs": epochs, "settings": learned_settings(settings)}
    write_text(path, json.dumps(record, indent=2) + "\n")
    return path


def learned_settings(settings: EnsembleConfig | BanditEnsembleConfig) -> dict[str, Any]:
    """Those of an ensemble's group that make a difference to what it learns."""
    return {key: value for key, value in asdict(settings).items() if key not in _NOT_LEARNED}


def trained_epochs(model: Path) -> int | None:
    """The epochs noted for `model`; None where there is no note, or it is about another file."""
    epochs = _record_of(model).get("epochs")
    return epochs if isinstance(epochs, int) else None


def trained_settings(model: Path) -> dict[str, Any]:
    """The settings noted for `model`, by their names in `ensemble`; none where there is no note."""
    settings = _record_of(model).get("settings")
    return settings if isinstance(settings, dict) else {}


def _record_of(model: Path) -> dict[str, Any]:
    try:
        record = read_record(record_path(model)) or {}
    except DamagedRecordError:
        return {}
    return record if record.get("sha256") == sha256_of(model) else {}
