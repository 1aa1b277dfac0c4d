"""Where the jobs of a sweep run: each file of configs/launcher is an option of `hydra/launcher`."""

from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from harness.checkout import CONFIG_ROOT


def register_launchers(store: ConfigStore) -> None:
    """Makes them known to Hydra; stored, as every domain's folder is a search root of its own."""
    for file in sorted((CONFIG_ROOT / "launcher").glob("*.yaml")):
        node: Any = OmegaConf.to_container(OmegaConf.load(file), resolve=False)
        store.store(group="hydra/launcher", name=file.stem, node=node, package="_global_")
