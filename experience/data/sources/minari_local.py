"""Minari datasets that are already on this disk (optional extra `minari`)."""

import numpy as np

from experience.data.origin import OriginOf
from experience.data.rows import Dataset, from_d4rl_layout
from harness.errors import UserError


def read(dataset_id: str, where: str, origin_of: OriginOf | None) -> Dataset:
    """The local Minari dataset `dataset_id`, with actions rescaled to [-1, 1].

    Minari keeps actions in the units of its environment, and says which bounds those have.
    `origin_of` is that of `from_d4rl_layout`.
    Raises UserError if minari is not installed, if the dataset is not on this disk, or if its
    observations or actions are not plain vectors (Box spaces of one axis, bounded actions).
    """
    try:
        import minari
    except ImportError as error:
        raise UserError(
            f"{where} needs the minari package; install it with `pip install -e .[minari]`"
        ) from error
    try:
        stored = minari.load_dataset(dataset_id)
    except (OSError, ValueError) as error:
        raise UserError(
            f"{where} is not a readable Minari dataset on this disk ({error}); "
            f"download it with `minari download {dataset_id}`"
        ) from error
    _require_vectors("observation", stored.observation_space, where)
    low, high = _action_bounds(stored.action_space, where)

    episodes = list(stored.iterate_episodes())
    if not episodes:
        raise UserError(f"{where} has no episodes; use a dataset that has some")
    for episode in episodes:
        _require_shape("observation", episode.observations, stored.observation_space, where)
        _require_shape("action", episode.actions, stored.action_space, where)
    timeouts = [_ending(episode) for episode in episodes]
    actions = np.concatenate([episode.actions for episode in episodes])
    return from_d4rl_layout(
        {
            "observations": np.concatenate([episode.observations[:-1] for episode in episodes]),
            "actions": _scaled(actions, low, high),
            "rewards": np.concatenate([episode.rewards for episode in episodes]),
            "terminals": np.concatenate([episode.terminations for episode in episodes]),
            "timeouts": np.concatenate(timeouts),
            "next_observations": np.concatenate([ep.observations[1:] for ep in episodes]),
        },
        where,
        origin_of,
    )


def environment_of(dataset_id: str) -> str | None:
    """The id of the environment that the readable dataset was collected in, if Minari knows it."""
    import minari

    spec = minari.load_dataset(dataset_id).spec.env_spec
    return None if spec is None else spec.id


def _ending(episode) -> np.ndarray:
    """The episode's truncation flags; an episode that was never closed counts as cut off."""
    timeouts = np.array(episode.truncations, dtype=bool)
    timeouts[-1] |= not episode.terminations[-1]
    return timeouts


def _require_vectors(name: str, space, where: str) -> None:
    from gymnasium.spaces import Box

    if not isinstance(space, Box) or len(space.shape) != 1:
        raise UserError(
            f"{where} has the {name} space {space}; only Box spaces of one axis are supported"
        )


def _require_shape(name: str, array: np.ndarray, space, where: str) -> None:
    if array.shape[1:] == space.shape:
        return
    cause = "minari keeps arrays of uint8 as JPEG pictures: " if space.dtype == np.uint8 else ""
    raise UserError(
        f"{where} has {name}s of shape {array.shape[1:]} where its {name} space says {space}:"
        f" {cause}collect it with a space of another type, such as float32"
    )


def _action_bounds(space, where: str) -> tuple[np.ndarray, np.ndarray]:
    _require_vectors("action", space, where)
    if not (np.isfinite(space.low).all() and np.isfinite(space.high).all()):
        raise UserError(f"{where} has unbounded actions {space}; bounded ones are needed")
    # float64: the width of an 8-bit box has no place in 8 bits
    return space.low.astype(np.float64), space.high.astype(np.float64)


def _scaled(actions: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Actions in units in which -1 and 1 are the bounds; 0 where both bounds are one number."""
    width = high - low
    fixed = width == 0
    scaled = 2 * (actions - low) / np.where(fixed, 1, width) - 1
    # any other number there is outside the bounds
    return np.where(fixed, 2 * np.sign(actions - low), scaled)
