"""The sensitivity studies as Hydra sweeps: `-m +sweep=<name>` runs one job for each value.

They are stored rather than written as YAML because every domain's folder is a search root of its
own; a value typed on the command line (`collect.ensemble_size=2,5`) wins over a sweep's.
"""

from typing import Any

from hydra.core.config_store import ConfigStore

#: Published values; `rates` moves both encoders together.
SWEEPS: dict[str, dict[str, str]] = {
    "unc_quantile": {"collect.unc_quantile": "0.9,0.99,0.999,1.0"},
    "penalty_coef": {"collect.penalty_coef": "0.0,0.04,0.2,1.0,5.0"},
    "ensemble_size": {"collect.ensemble_size": "5,20,100"},
    "real_weight": {"train.real_weight": "0.05,0.5,0.8,0.95"},
    "rates": {"train.critic_enc_lr": "3e-7,1e-6,3e-6,1e-5,3e-5,1e-4"},
}
_TIED: dict[str, dict[str, Any]] = {
    "rates": {"train": {"actor_enc_lr": "${train.critic_enc_lr}"}},
}


def register_sweeps(store: ConfigStore) -> None:
    """Makes the sweeps known to Hydra as the group `sweep`."""
    for name, params in SWEEPS.items():
        node = {"hydra": {"sweeper": {"params": params}}, **_TIED.get(name, {})}
        store.store(group="sweep", name=name, node=node, package="_global_")
