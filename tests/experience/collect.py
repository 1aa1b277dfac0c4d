"""Small datasets in the real file layouts, collected from an environment of the old gym API."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

Policy = Callable[[np.ndarray], np.ndarray]


def collect(
    env, rows: int, seed: int, *, horizon: int, policy: Policy | None = None
) -> dict[str, np.ndarray]:
    """`rows` steps of `env` as arrays in D4RL's layout, next_observations included.

    `env` has gym 0.23's API (reset() -> observation, step(action) -> observation, reward, done,
    info) and actions in [-1, 1]; seeding it is the caller's business. Actions come from `policy`
    or are uniform. An episode ends at `done` or after `horizon` steps, whichever is first; `done`
    is a terminal unless `info` says that a time limit caused it.
    """
    rng = np.random.default_rng(seed)
    policy = policy or (lambda observation: rng.uniform(-1, 1, env.action_space.shape))
    kept = {key: [] for key in ("observations", "actions", "rewards", "terminals", "timeouts")}
    kept["next_observations"] = []
    observation, steps = env.reset(), 0
    for _ in range(rows):
        action = np.asarray(policy(observation), dtype=np.float32)
        next_observation, reward, done, info = env.step(action)
        steps += 1
        terminal = done and not info.get("TimeLimit.truncated", False)
        ended = done or steps == horizon
        row = (observation, action, reward, terminal, ended and not terminal, next_observation)
        for values, value in zip(kept.values(), row, strict=True):
            values.append(value)
        observation = next_observation
        if ended:
            observation, steps = env.reset(), 0
    return {
        key: np.asarray(values, dtype=bool if key in ("terminals", "timeouts") else np.float32)
        for key, values in kept.items()
    }


def goals_as_terminals(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """AntMaze's convention: a step with reward 1 is a terminal, and its episode runs on."""
    return {**arrays, "terminals": arrays["rewards"] == 1}


def write_d4rl(path: Path, arrays: dict[str, np.ndarray], *, next_observations: bool = True):
    """An HDF5 file as D4RL publishes it: arrays at the top, groups infos/ and metadata/ beside."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for key, array in arrays.items():
            if next_observations or key != "next_observations":
                file.create_dataset(key, data=array, compression="gzip")
        file["infos/qpos"] = np.zeros((3, 2))
        file["metadata/algorithm"] = "random"


def write_neorl(path: Path, arrays: dict[str, np.ndarray]):
    """An npz file as NeoRL publishes it: done marks every episode's end, index the later starts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    done = arrays["terminals"] | arrays["timeouts"]
    done[-1] = True
    np.savez(
        path,
        obs=arrays["observations"],
        action=arrays["actions"],
        next_obs=arrays["next_observations"],
        reward=arrays["rewards"][:, None],
        done=done[:, None].astype(np.float32),
        index=(np.flatnonzero(done[:-1]) + 1).astype(np.float64),
    )
