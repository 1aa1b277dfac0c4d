"""Published datasets' files with a few rows of their real environments."""

from pathlib import Path

from experience.data.sources.d4rl_files import D4RL_URLS
from experience.tasks import get_task
from experience.wrapper import make_env
from neorl.datasets import get_dataset
from tests.experience.collect import collect, goals_as_terminals, write_d4rl, write_neorl


def write_dataset(folder: Path, domain: str, name: str) -> None:
    """Some episodes of random actions in the real environment, as the publisher stores them."""
    env = make_env(domain, name)
    env.reset(seed=0)
    arrays = collect(env, 600, 0, horizon=min(100, get_task(domain, name).horizon))
    env.close()
    if domain == "neorl":
        write_neorl(folder / "neorl" / get_dataset(name).file_name, arrays)
        return
    path = folder / "d4rl" / D4RL_URLS[name].rpartition("/")[2]
    if domain == "antmaze":
        write_d4rl(path, goals_as_terminals(arrays), next_observations=False)
    else:
        write_d4rl(path, arrays, next_observations=domain == "d4rl_loco")
