"""What tells runs apart: the settings that figures and tables average seeds of."""

import re
from collections.abc import Iterable, Sequence
from itertools import combinations
from pathlib import Path

from figures.run_records import RunRecord
from harness.configuration.keys import within
from harness.errors import UserError
from harness.run.naming import FREE_KEYS

# Keys that differ between runs without making them different experiments. Which ensemble a bandit
# learns in is said by its data and settings, wherever it lies.
_NOT_A_SETTING = (*FREE_KEYS, "seed", "dataset_name", "collect.save_dir")
# A group of the user's own keys: one that a run does not give is not of an earlier version.
_OPEN = "env.kwargs."


def settings(records: Sequence[RunRecord], keys: Sequence[str] | None) -> list[str]:
    """What tells each run from the others, apart from dataset and seed: "key=value, ...".

    Of the given `keys`, or else of those in which runs on one dataset differ. Raises UserError for
    a key that a run lacks, for runs on one dataset that the keys do not tell apart although they
    differ in others, and for two of one seed.
    """
    if keys is None:
        keys = differing_keys(records)
    else:
        for record in records:
            for key in keys:
                if not _has(record, key):
                    raise UserError(f"{record.path} has no key {key!r}: check its spelling")
    programs = {record.program for record in records}
    names = []
    values = {key: _texts(records, key) for key in keys}
    for place, record in enumerate(records):
        parts = [record.program] if len(programs) > 1 else []
        parts += [f"{key}={values[key][place]}" for key in keys if key in record.config]
        names.append(", ".join(parts) or record.program)
    for of_setting in by_setting(records, names).values():
        check_alike(of_setting, keys)
    seen: dict[tuple, Path] = {}
    for record, name in zip(records, names, strict=True):
        identity = (record.dataset, name, record.seed)
        if identity in seen:
            raise UserError(
                f"{record.path} and {seen[identity]} both are seed {record.seed} of {name}: give"
                " one of them"
            )
        seen[identity] = record.path
    return names


def check_alike(records: Sequence[RunRecord], keys: Sequence[str]) -> None:
    """Raises UserError if runs on one dataset differ in another key than `keys`."""
    if not (found := differing_keys(records, keys)):
        return
    told = zip(records, _texts(records, found[0]), strict=True)
    (one, value), (other, another) = next(
        pair
        for pair in combinations([each for each in told if _has(each[0], found[0])], 2)
        if pair[0][0].dataset == pair[1][0].dataset and pair[0][1] != pair[1][1]
    )
    raise UserError(
        f"{one.path} and {other.path} differ in {found[0]} ({value} and {another}): give the runs"
        f" of one value, or add {' '.join(f'--by {key}' for key in found)}"
    )


def differing_keys(records: Sequence[RunRecord], known: Sequence[str] = ()) -> list[str]:
    """Keys besides the `known` ones whose value differs between runs on one dataset, in config
    order; of keys that have one value in every run (rates that a sweep ties) only the first."""
    found = {key: _texts(records, key) for key in known}
    for key in dict.fromkeys(key for record in records for key in record.config):
        # an empty group has a key itself
        if key not in found and f"{key}." != _OPEN and not within(key, _NOT_A_SETTING):
            texts = _texts(records, key)
            if _differs(records, key, texts) and texts not in found.values():
                found[key] = texts
    return [key for key in found if key not in known]


def by_setting(records: Sequence[RunRecord], names: Sequence[str]) -> dict[str, list[RunRecord]]:
    """The runs of each setting, the settings in order."""
    return {
        setting: [record for record, name in zip(records, names, strict=True) if name == setting]
        for setting in in_order(names)
    }


def in_order(names: Iterable[str]) -> list[str]:
    """Distinct setting names, numbers by size and words by the alphabet."""

    def rank(name: str) -> list:
        words = name.replace("=", ", ").split(", ")
        return [(0, float(word), "") if _is_number(word) else (1, 0.0, word) for word in words]

    return sorted(set(names), key=rank)


def _differs(records: Sequence[RunRecord], key: str, texts: Sequence[str]) -> bool:
    """Whether two runs on one dataset, both of which have the key, have different values."""
    values: dict[str, set[str]] = {}
    for record, text in zip(records, texts, strict=True):
        if _has(record, key):
            values.setdefault(record.dataset, set()).add(text)
    return any(len(of_dataset) > 1 for of_dataset in values.values())


def _has(record: RunRecord, key: str) -> bool:
    return key in record.config or key.startswith(_OPEN)


def _texts(records: Sequence[RunRecord], key: str) -> list[str]:
    """The value of each run, told alike for all seeds of one setting.

    A path is told from the folder of the run's command, which may have been another one for each;
    and where it is of the run's own seed alone, without that.
    """
    texts = [str(record.config.get(key)) for record in records]
    for place, record in enumerate(records):
        if record.folder is not None:
            texts[place] = texts[place].removeprefix(f"{record.folder}/")
    seeds: dict[str, set[int]] = {}
    for record, text in zip(records, texts, strict=True):
        seeds.setdefault(text, set()).add(record.seed)
    return [
        re.sub(rf"seed{record.seed}(?!\d)", "seed*", text) if len(seeds[text]) == 1 else text
        for record, text in zip(records, texts, strict=True)
    ]


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
