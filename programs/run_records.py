"""Finished (or running) run directories as figures and tables see them."""

import glob
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from harness import metrics
from harness.errors import UserError
from harness.metrics_file import read_rows
from harness.run_directory import read_config

#: Scores are told as percentages of the reference, as published.
PERCENT = 100
#: Evaluations at the end of a run whose mean is told.
LAST_EVALUATIONS = 10
# Keys that differ between runs without making them different experiments.
_NOT_A_SETTING = ("seed", "dataset_name", "domain", "run_root", "run_dir", "load_agent_path")
_GROUPS_NOT_A_SETTING = ("wandb", "checkpoint", "env")
_ENDINGS_NOT_A_SETTING = ("_dir", "_root", "save_agent", "ensemble.domain", "ensemble.total_epochs")


@dataclass(frozen=True)
class RunRecord:
    """One run: what it was asked to do and what it logged."""

    path: Path
    program: str
    #: dotted key → value
    config: dict[str, Any]
    rows: list[dict[str, Any]]
    finished: bool

    @property
    def dataset(self) -> str:
        return self.config["dataset_name"]

    @property
    def seed(self) -> int:
        return self.config["seed"]

    def series(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Gradient steps and values of a metric, without those that were not finite."""
        pairs = [(row[metrics.STEP], row[name]) for row in self.rows if row.get(name) is not None]
        steps, values = zip(*pairs, strict=True) if pairs else ((), ())
        return np.array(steps, float), np.array(values, float)

    def scores(self, name: str) -> Float[np.ndarray, " evaluation"]:
        """All evaluations of a score metric, in percent."""
        return PERCENT * self.series(name)[1]


def find_runs(patterns: Sequence[str], *, unfinished: bool = False) -> list[RunRecord]:
    """The agents' runs at or below everything that matches `patterns`, sorted by path.

    Runs without an evaluation (world models) are left out, and so are unfinished ones unless asked
    for. Raises UserError if none remains.
    """
    folders = {
        file.parent
        for pattern in patterns
        for match in glob.glob(pattern, recursive=True)
        for file in Path(match).rglob("metrics.jsonl")
    }
    records = [_read_run(folder) for folder in sorted(folders)]
    agents = [record for record in records if len(record.series(metrics.SCORE)[0])]
    kept = [record for record in agents if record.finished or unfinished]
    if len(kept) < len(agents):
        print(f"{len(agents) - len(kept)} unfinished runs are left out", flush=True)
    if not kept:
        raise UserError(
            f"no {'' if unfinished else 'finished '}agent's run is at {' '.join(patterns)}: give"
            " run directories, or folders above them, such as 'runs/offline_cont'"
        )
    return kept


def settings(records: Sequence[RunRecord], keys: Sequence[str] | None) -> list[str]:
    """What tells each run from the others, apart from dataset and seed: "key=value, ...".

    Of the given `keys`, or else of those in which runs on one dataset differ. Raises UserError for
    a key that a run lacks and for two runs of one dataset, setting and seed.
    """
    if keys is None:
        keys = _differing_keys(records)
    else:
        for record in records:
            for key in keys:
                if key not in record.config:
                    raise UserError(f"{record.path} has no key {key!r}: check its spelling")
    programs = {record.program for record in records}
    names = []
    for record in records:
        parts = [record.program] if len(programs) > 1 else []
        parts += [f"{key}={record.config[key]}" for key in keys if key in record.config]
        names.append(", ".join(parts) or record.program)
    seen: dict[tuple, Path] = {}
    for record, name in zip(records, names, strict=True):
        identity = (record.dataset, name, record.seed)
        if identity in seen:
            raise UserError(
                f"{record.path} and {seen[identity]} both are seed {record.seed} of {name}: name"
                " the keys that tell them apart with --by, or give fewer runs"
            )
        seen[identity] = record.path
    return names


def in_order(names: Iterable[str]) -> list[str]:
    """Distinct setting names, numbers by size and words by the alphabet."""

    def rank(name: str) -> list:
        words = name.replace("=", ", ").split(", ")
        return [(0, float(word), "") if _is_number(word) else (1, 0.0, word) for word in words]

    return sorted(set(names), key=rank)


def _read_run(folder: Path) -> RunRecord:
    file = folder / "config.yaml"
    if not file.exists():
        raise UserError(f"{folder} has metrics.jsonl but no config.yaml: it is not a whole run")
    config = read_config(file)
    return RunRecord(
        folder,
        _program(config),
        config,
        read_rows(folder / "metrics.jsonl"),
        (folder / "finished.json").exists(),
    )


def _program(config: dict[str, Any]) -> str:
    """The kind of agent, which its configuration tells also where a run has been moved."""
    if "train.critic_enc_lr" in config:
        return "recurrent"
    return "Markov" if "train.critic_lr" in config else "bandit"


def _differing_keys(records: Sequence[RunRecord]) -> list[str]:
    """Keys whose value differs between runs on one dataset that have it, in config order."""
    keys = list(dict.fromkeys(key for record in records for key in record.config))
    by_dataset = {
        dataset: [record.config for record in records if record.dataset == dataset]
        for dataset in {record.dataset for record in records}
    }
    return [
        key
        for key in keys
        if _is_setting(key)
        and any(
            len({str(config[key]) for config in configs if key in config}) > 1
            for configs in by_dataset.values()
        )
    ]


def _is_setting(key: str) -> bool:
    return not (
        key in _NOT_A_SETTING
        or key.partition(".")[0] in _GROUPS_NOT_A_SETTING
        or key.endswith(_ENDINGS_NOT_A_SETTING)
    )


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
