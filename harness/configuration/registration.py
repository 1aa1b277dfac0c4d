"""Makes the schemas known to Hydra, by being imported."""

import os

from hydra.conf import HydraConf, RunDir, SweepDir
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from harness.configuration.launchers import register_launchers
from harness.configuration.schema import (
    BanditConfig,
    BanditStudyConfig,
    ContConfig,
    MarkovConfig,
)
from harness.configuration.sweeps import register_sweeps


def _hydra_defaults() -> list:
    """Hydra's own defaults list without its loggers, which write a file and talk over JAX's."""
    silent = ("job_logging", "hydra_logging")
    return [
        {group: "none" if group in silent else option for group, option in entry.items()}
        for entry in HydraConf().defaults
    ]


def _register() -> None:
    store = ConfigStore.instance()
    store.store(name="cont_schema", node=ContConfig)
    store.store(name="markov_schema", node=MarkovConfig)
    store.store(name="bandit_schema", node=BanditConfig)
    store.store(name="bandit_study_schema", node=BanditStudyConfig)
    register_sweeps(store)
    register_launchers(store)
    OmegaConf.register_new_resolver("home", os.path.expanduser, replace=True)
    # Our run directories replace Hydra's, so it must neither change directory nor make outputs/;
    # a sweep still needs somewhere for its record of jobs.
    store.store(
        group="hydra",
        name="config",
        node=HydraConf(
            defaults=_hydra_defaults(),
            run=RunDir(dir="."),
            sweep=SweepDir(dir="${home:${run_root}}/sweeps/${now:%Y-%m-%d_%H-%M-%S}", subdir="."),
            output_subdir=None,
        ),
        provider="neubay",
    )


_register()
