"""Every dotted key that code names is one of the schemas', and docs/runs.md names the same."""

import re
from pathlib import Path

import pytest

from harness.configuration import debug, unused
from harness.configuration.composition import known_keys
from harness.configuration.schema import (
    REWARD_MODEL_KEYS,
    WORLD_MODEL_KEYS,
    BanditStudyConfig,
    ContConfig,
    MarkovConfig,
)
from harness.process import arguments
from harness.run import naming

KNOWN = {
    key for schema in (ContConfig, MarkovConfig, BanditStudyConfig) for key in known_keys(schema)
}
RUNS = Path(__file__).resolve().parents[3] / "docs/runs.md"


@pytest.mark.parametrize(
    "keys",
    [
        # Hydra's own group is in none of ours
        set(naming.FREE_KEYS) - {"hydra"},
        naming._EXECUTION_KEYS,
        arguments._PATHS,
        arguments._TEXTS,
        debug._SIZES,
        debug._FOLDERS,
        unused.MEMORY_KEYS.values(),
        unused.ENVIRONMENT_KEYS,
        WORLD_MODEL_KEYS,
        REWARD_MODEL_KEYS,
    ],
)
def test_every_key_is_of_a_schema(keys):
    assert keys and set(keys) <= KNOWN


def test_the_table_of_what_names_a_run_has_the_keys_of_the_code():
    table = RUNS.read_text().partition("## What names a run")[2].partition("\n## ")[0]
    rows = [line.split("|")[1:3] for line in table.splitlines() if line.startswith("| ")]
    keys = {
        meaning.split()[0]: set(re.findall(r"`([\w.]+?)(?:\.\*)?`", row))
        for row, meaning in rows
        if meaning.strip()
    }
    assert keys["never"] == set(naming.FREE_KEYS)
    assert keys["name"] == set(naming._EXECUTION_KEYS)
    assert keys["not"] == set(WORLD_MODEL_KEYS)
