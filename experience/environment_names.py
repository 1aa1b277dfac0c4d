"""Under which names environments are registered, and which of them are of one environment."""

from experience.data.sources.d4rl_files import D4RL_URLS
from neorl.datasets import NEORL_DATASETS

#: The embedded task's, unless `env.id` says otherwise.
PENDULUM_ID = "Pendulum-v1"


def same_environment(one: str, other: str) -> bool:
    """Whether two ids are of one environment: D4RL registers it under each of its datasets' names,
    NeoRL's datasets are of gym's tasks, and `module:` before an id says only where it is found.

    The mazes of a size are one, whatever their datasets' goals.
    """
    return _without_level(one) == _without_level(other)


def _without_level(environment: str) -> str:
    if environment in NEORL_DATASETS:
        return NEORL_DATASETS[environment].task
    if environment not in D4RL_URLS:
        return environment.rpartition(":")[2]
    words = environment.split("-")
    return "-".join(words[: 2 if words[0] == "antmaze" else 1])
