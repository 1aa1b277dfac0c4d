"""What the catalogue names is there, everywhere that it is asked for."""

from pathlib import Path

from catalogue import domains
from experience import wrapper
from experience.tasks import DATASETS
from harness.configuration.groups import CollectConfig, MemoryConfig, TrainConfig
from harness.configuration.settings import names_of
from offline_world import terminations

CONFIGS = Path(__file__).parents[1] / "configs"


def test_every_domain_has_its_datasets_rules_environments_and_configs():
    assert set(DATASETS) == set(domains.PUBLISHED)
    assert set(terminations._RULES) == set(domains.PUBLISHED)
    assert set(wrapper._FACTORIES) == set(domains.ALL)
    assert set(domains.ALL) <= {path.name for path in CONFIGS.iterdir()}


def test_every_default_is_a_name_of_its_table():
    fields = [
        field
        for group in (CollectConfig, MemoryConfig, TrainConfig)
        for field in group.__dataclass_fields__.values()
        if names_of(field) is not None
    ]
    assert len(fields) >= 4
    for field in fields:
        assert field.default in names_of(field)(), field.name
