"""What runs of the bandit study learn from besides their settings: pulls of an arm."""

from pathlib import Path

from harness.configuration.schema import BanditConfig
from harness.run.inputs import Input
from offline_world.bandit_dataset import BanditDataset, load_dataset


def load_pulls(config: BanditConfig) -> BanditDataset:
    """UserError for a missing or other file."""
    return load_dataset(_path(config))


def pulls_input(config: BanditConfig) -> Input:
    """The pulls, which are read when their digest is asked for."""
    return Input("dataset", _path(config), lambda: load_pulls(config).digest)


def present_pulls(config: BanditConfig) -> list[Input]:
    """Those of a configuration as they are now; none where they are gone."""
    return [pulls_input(config)] if _path(config).is_file() else []


def _path(config: BanditConfig) -> Path:
    return Path(config.collect.data_path).expanduser()
