"""Where the D4RL datasets of the paper live, on the web and on this disk."""

import os
from pathlib import Path

from harness.errors import UserError

_ROOT = "http://rail.eecs.berkeley.edu/datasets/offline_rl"

_LOCOMOTION = {
    f"{robot}-{level}-v2": f"{_ROOT}/gym_mujoco_v2/{robot}_{level.replace('-', '_')}-v2.hdf5"
    for robot in ("halfcheetah", "hopper", "walker2d")
    for level in ("random", "medium", "medium-replay", "medium-expert")
}
_ADROIT = {
    f"{task}-{level}-v1": f"{_ROOT}/hand_dapg_v1/{task}-{level}-v1.hdf5"
    for task in ("pen", "door", "hammer")
    for level in ("human", "cloned")
}
_ANTMAZE = {
    f"antmaze-{name}-v2": (
        f"{_ROOT}/ant_maze_v2/Ant_maze_{maze}_noisy_multistart_{starts}_multigoal_{goals}"
        "_sparse_fixed.hdf5"
    )
    for name, maze, starts, goals in (
        ("umaze", "u-maze", False, False),
        ("umaze-diverse", "u-maze", True, True),
        ("medium-play", "big-maze", True, False),
        ("medium-diverse", "big-maze", True, True),
        ("large-play", "hardest-maze", True, False),
        ("large-diverse", "hardest-maze", True, True),
    )
}

D4RL_URLS: dict[str, str] = {**_LOCOMOTION, **_ADROIT, **_ANTMAZE}


def d4rl_folder() -> Path:
    """D4RL's own folder: `$D4RL_DATASET_DIR`, by default ~/.d4rl/datasets."""
    return Path(os.environ.get("D4RL_DATASET_DIR") or "~/.d4rl/datasets").expanduser()


def d4rl_path(dataset_name: str) -> Path:
    """Where D4RL keeps `dataset_name` on this disk, whether or not the file is there.

    Raises UserError for a name that is not one of the paper's.
    """
    if dataset_name not in D4RL_URLS:
        raise UserError(
            f"there is no D4RL dataset {dataset_name!r} among those of the paper: see"
            " `python get_all_datasets.py --list`"
        )
    return d4rl_folder() / D4RL_URLS[dataset_name].rsplit("/", 1)[1]
