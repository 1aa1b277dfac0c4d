"""A user's own HDF5 dataset as a local Minari dataset (optional extra `minari`)."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from experience.data import own_file
from experience.data.sources import hdf5
from harness.errors import UserError


def export(path: Path, dataset_id: str) -> None:
    """Write the file at `path` as the Minari dataset `dataset_id`; `minari:<id>` reads it back.

    Actions stay in [-1, 1], and its action space says so. The file's provenance goes into the
    description. Raises UserError if minari is not installed or the id is malformed or taken.
    """
    try:
        import minari
        from gymnasium.spaces import Box
        from minari.data_collector import EpisodeBuffer
    except ImportError as error:
        raise UserError(
            "--minari needs the minari package; install it with `pip install -e .[minari]`"
        ) from error
    remedy = "make it again"
    dataset, origin = hdf5.read(path, str(path), remedy), own_file.attributes(path)
    starts = own_file.episode_starts(dataset)
    reached = dataset.next_observations
    assert reached is not None, "own files have next observations"
    # its buffers are declared as lists, and take arrays
    episode: Any = EpisodeBuffer
    buffers = [
        episode(
            id=number,
            observations=np.concatenate([dataset.observations[rows], reached[rows][-1:]]),
            actions=dataset.actions[rows],
            rewards=dataset.rewards[rows],
            terminations=dataset.terminals[rows],
            truncations=dataset.timeouts[rows],
            infos={},
        )
        for number, rows in enumerate(
            slice(a, b) for a, b in zip(starts, [*starts[1:], dataset.rows], strict=True)
        )
    ]
    state_dim, action_dim = dataset.observations.shape[1], dataset.actions.shape[1]
    kept = {
        key: str(origin[key])
        for key in ("environment", "policy", "seed", "command")
        if key in origin
    }
    try:
        with warnings.catch_warnings():
            # its advice concerns those who publish a dataset
            warnings.simplefilter("ignore", UserWarning)
            minari.create_dataset_from_buffers(
                dataset_id,
                buffers,
                observation_space=Box(-np.inf, np.inf, (state_dim,), np.float32),
                action_space=Box(-1.0, 1.0, (action_dim,), np.float32),
                algorithm_name=str(origin.get("policy", "unknown")),
                description=f"{path.stem}, actions scaled to [-1, 1]; {kept}",
            )
    except ValueError as error:
        raise UserError(
            f"--minari {dataset_id} cannot be written ({error}): give an id such as mine/random-v0"
            " that is not on this disk yet"
        ) from error
    print(f"minari:{dataset_id}")
