"""The copies of a real environment to evaluate in, spread over the cores."""

import os

from catalogue import domains
from experience.data.origin import Origin
from experience.real.local_envs import LocalVectorEnv
from experience.real.vector import AbstractVectorEnv
from experience.real.worker_pool import WorkerVectorEnv
from harness.configuration.groups import EnvConfig


def usable_cores() -> int:
    """The cores that this process may run on (a cluster job often has fewer than the machine)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def make_vector_env(
    domain: str,
    dataset_name: str,
    copies: int,
    env_config: EnvConfig | None = None,
    engine: str = "mujoco",
    workers: int | None = None,
    origin: Origin | None = None,
) -> AbstractVectorEnv:
    """`copies` environments of a dataset, stepped by `workers` processes (by default one a core).

    The numbers do not depend on `workers`; with one, everything happens in this process. States
    are measured from `origin`, as those of the agent's dataset. Arguments and errors are otherwise
    those of `make_env`.
    """
    if workers is None:
        # A step of the pendulum costs less than a message to another process.
        workers = 1 if domain == domains.PENDULUM else usable_cores()
    workers = min(workers, copies)
    if workers <= 1:
        return LocalVectorEnv(domain, dataset_name, copies, env_config, engine, origin)
    return WorkerVectorEnv(domain, dataset_name, copies, env_config, engine, workers, origin)
