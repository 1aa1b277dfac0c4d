"""The sensitivity studies as Hydra sweeps: `-m +sweep=<name>` runs one job for each value.

They are stored rather than written as YAML because every domain's folder is a search root of its
own; a value typed on the command line (`collect.ensemble_size=2,5`) wins over a sweep's.
"""

from collections.abc import Collection, Sequence
from typing import Any

from hydra.core.config_store import ConfigStore

from harness.errors import UserError

_ENCODER_RATES = "3e-7,1e-6,3e-6,1e-5,3e-5,1e-4"

#: Published values, but the last two are ours. `rates` moves both encoders of the recurrent agent
#: together, `markov_rates` both networks of the agent without memory; `enc_lr` is the bandit's.
SWEEPS: dict[str, dict[str, str]] = {
    "unc_quantile": {"collect.unc_quantile": "0.9,0.99,0.999,1.0"},
    "penalty_coef": {"collect.penalty_coef": "0.0,0.04,0.2,1.0,5.0"},
    "ensemble_size": {"collect.ensemble_size": "5,20,100"},
    "real_weight": {"train.real_weight": "0.05,0.5,0.8,0.95"},
    "rates": {"train.critic_enc_lr": _ENCODER_RATES},
    "markov_rates": {"train.critic_lr": "1e-5,3e-5,1e-4,3e-4,1e-3"},
    "enc_lr": {"train.enc_lr": _ENCODER_RATES},
}
_TIED: dict[str, dict[str, Any]] = {
    "rates": {"train": {"actor_enc_lr": "${train.critic_enc_lr}"}},
    "markov_rates": {"train": {"actor_lr": "${train.critic_lr}"}},
}
# Without one of these Hydra runs a single job, or (the last four) only prints a configuration.
_MANY_JOBS = {"-m", "--multirun", "hydra.mode=MULTIRUN", "-c", "--cfg", "-i", "--info"}


def register_sweeps(store: ConfigStore) -> None:
    """Makes the sweeps known to Hydra as the group `sweep`."""
    for name, params in SWEEPS.items():
        node = {"hydra": {"sweeper": {"params": params}}, **_TIED.get(name, {})}
        store.store(group="sweep", name=name, node=node, package="_global_")


def check_sweep(arguments: Sequence[str], known: Collection[str]) -> None:
    """Refuses a sweep that would run nothing but the default, and one of another program's keys.

    `known` are the keys of the program's configuration. Raises UserError.
    """
    for argument in arguments:
        key, _, name = argument.lstrip("+").partition("=")
        if key != "sweep":
            continue
        fitting = [sweep for sweep, params in SWEEPS.items() if params.keys() <= set(known)]
        if name in SWEEPS and name not in fitting:
            raise UserError(
                f"{argument} varies {', '.join(SWEEPS[name])}, which this program does not have:"
                f" choose one of {', '.join(fitting)}"
            )
        if _MANY_JOBS.isdisjoint(arguments):
            raise UserError(f"{argument} runs one job for each of its values: add -m")
