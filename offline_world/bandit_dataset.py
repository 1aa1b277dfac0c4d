"""The bandit's data: pulls of one arm only, so that nothing is known of the other (spec 6)."""

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Float, Int

from harness.errors import UserError
from harness.files import atomic_write

ARMS, PULLS, EPISODES = 2, 100, 10
PULLED_ARM, PULLED_ARM_PAYS = 0, 0.5


@dataclass(frozen=True)
class BanditDataset:
    """Arms that were pulled and what they paid."""

    arms: Int[np.ndarray, "episode pull"]
    rewards: Float[np.ndarray, "episode pull"]

    def rows(self) -> Float[np.ndarray, "row arm_reward"]:
        """One row per pull: the arm as one-hot, then the reward."""
        one_hot = np.eye(ARMS, dtype=np.float32)[self.arms.reshape(-1)]
        return np.concatenate([one_hot, self.rewards.reshape(-1, 1)], axis=1)


def make_dataset(seed: int) -> BanditDataset:
    """10 episodes of 100 pulls of arm 0, each of which pays 1 with probability 0.5, else 0."""
    paid = np.random.default_rng(seed).random((EPISODES, PULLS)) < PULLED_ARM_PAYS
    arms = np.full((EPISODES, PULLS), PULLED_ARM, np.int32)
    return BanditDataset(arms, paid.astype(np.float32))


def save_dataset(path: Path | str, dataset: BanditDataset) -> None:
    """Writes `arms` and `rewards` into an .npz file, whole or not at all."""
    with atomic_write(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, arms=dataset.arms, rewards=dataset.rewards)


def load_dataset(path: Path | str) -> BanditDataset:
    """The dataset in an .npz file with `arms` and `rewards` of one shape (episode, pull).

    Nothing but plain arrays is ever read. Raises UserError for a missing, pickled or other file.
    """
    path = Path(path)
    if path.suffix in (".pkl", ".pickle"):
        raise UserError(
            f"collect.data_path={path} is a pickle, which can run any code when it is opened: write"
            " its arms and rewards with numpy.savez(path, arms=..., rewards=...) where you trust"
            " it, or make the data again with `python offline_world/bandit_data.py`"
        )
    if not path.exists():
        raise UserError(
            f"collect.data_path={path} does not exist: make it with"
            f" `python offline_world/bandit_data.py --path {path}`"
        )
    try:
        with np.load(path, allow_pickle=False) as file:
            arms, rewards = file["arms"], file["rewards"]
    except (ValueError, KeyError, OSError, EOFError, BadZipFile, TypeError) as error:
        raise UserError(
            f"collect.data_path={path} is not an .npz file with plain arrays `arms` and `rewards`"
            " (bandit_data.py makes one)"
        ) from error
    _check(path, arms, rewards)
    return BanditDataset(arms.astype(np.int32), rewards.astype(np.float32))


def _check(path: Path, arms: np.ndarray, rewards: np.ndarray) -> None:
    if arms.ndim != 2 or arms.size == 0 or arms.shape != rewards.shape:
        raise UserError(
            f"{path}: arms {arms.shape} and rewards {rewards.shape} must both be (episode, pull)"
        )
    if arms.dtype.kind not in "iu" or not np.isin(arms, np.arange(ARMS)).all():
        raise UserError(f"{path}: arms must be whole numbers from 0 to {ARMS - 1}")
    if rewards.dtype.kind not in "iuf" or not np.isfinite(rewards).all():
        raise UserError(f"{path}: rewards must be finite numbers")
