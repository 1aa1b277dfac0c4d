"""The bandit's data: pulls of one arm only, so that nothing is known of the other."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from harness.arrays import UnreadableArraysError, digest_of, read_npz, write_npz
from harness.checkout import script_command
from harness.errors import UserError
from harness.pickled_arrays import NotPlainArraysError, read_pickled_arrays
from offline_world.bandit_task import ARMS, FIRST_ARM_PAYS, PULLS

EPISODES, PULLED_ARM = 10, 0
_SCRIPT = "offline_world/bandit_data.py"


@dataclass(frozen=True)
class BanditDataset:
    """Arms that were pulled and what they paid."""

    arms: Int[np.ndarray, "episode pull"]
    rewards: Float[np.ndarray, "episode pull"]

    def rows(self) -> Float[np.ndarray, "row arm_reward"]:
        """One row per pull: the arm as one-hot, then the reward."""
        one_hot = np.eye(ARMS, dtype=np.float32)[self.arms.reshape(-1)]
        return np.concatenate([one_hot, self.rewards.reshape(-1, 1)], axis=1)

    @property
    def digest(self) -> str:
        """That of the rows as they are learned from, whatever file they are in."""
        return digest_of([self.rows()])


def make_dataset(seed: int) -> BanditDataset:
    """10 episodes of 100 pulls of arm 0, each of which pays 1 with probability 0.5, else 0."""
    paid = np.random.default_rng(seed).random((EPISODES, PULLS)) < FIRST_ARM_PAYS
    arms = np.full((EPISODES, PULLS), PULLED_ARM, np.int32)
    return BanditDataset(arms, paid.astype(np.float32))


def save_dataset(path: Path | str, dataset: BanditDataset) -> None:
    """Writes `arms` and `rewards` into an .npz file, whole or not at all."""
    write_npz(Path(path), {"arms": dataset.arms, "rewards": dataset.rewards}, compressed=True)


def load_dataset(path: Path | str) -> BanditDataset:
    """The dataset in an .npz file with `arms` and `rewards` of one shape (episode, pull).

    A pickle (.pkl) may be the published one, a list of episodes whose `action` and `next_reward`
    end with a dummy row, or hold the arms as `arms` or `actions`, as numbers or one-hot, and
    `rewards` of any shape. Nothing but plain arrays is ever read from either. Raises UserError for
    a missing or other file.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(
            f"collect.data_path={path} does not exist: make it with"
            f" `{script_command(_SCRIPT)} --path {path.with_suffix('.npz')}`"
        )
    arms, rewards = (_from_pickle if path.suffix in (".pkl", ".pickle") else _from_npz)(path)
    _check(path, arms, rewards)
    return BanditDataset(arms.astype(np.int32), rewards.astype(np.float32))


def _from_npz(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        arrays = read_npz(path)
        return arrays["arms"], arrays["rewards"]
    except (UnreadableArraysError, KeyError) as error:
        raise UserError(
            f"collect.data_path={path} is not an .npz file with plain arrays `arms` and `rewards`"
            " (bandit_data.py makes one)"
        ) from error


def _from_pickle(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        content = read_pickled_arrays(path)
    except NotPlainArraysError as error:
        raise UserError(
            f"collect.data_path={path} is not a pickle of plain arrays ({error}), and nothing else"
            f" is opened: make the data with `{script_command(_SCRIPT)}`, or write its"
            " arms and rewards with numpy.savez(path, arms=..., rewards=...) where you trust it"
        ) from error
    if _is_published(content):
        content = _published_pulls(path, content)
    names = list(content) if isinstance(content, dict) else []
    arms_name = "arms" if "arms" in names else "actions"
    if not {arms_name, "rewards"} <= set(names):
        raise UserError(
            f"collect.data_path={path} has no `rewards` and `actions` or `arms`: it holds"
            f" {', '.join(map(str, names)) or 'one ' + type(content).__name__}"
        )
    try:
        arms, rewards = (np.array(content[n], np.float64) for n in (arms_name, "rewards"))
    except (TypeError, ValueError) as error:
        raise UserError(f"collect.data_path={path}: its rewards or arms are not numbers") from error
    if arms.size == ARMS * rewards.size:
        # one-hot
        arms = arms.reshape(-1, ARMS) @ np.arange(ARMS)
    # what is learned from the pulls does not depend on their episodes
    return arms.reshape(1, -1), rewards.reshape(1, -1)


def _is_published(content: Any) -> bool:
    return (
        isinstance(content, list)
        and len(content) > 0
        and all(isinstance(e, dict) and {"action", "next_reward"} <= set(e) for e in content)
    )


def _published_pulls(path: Path, episodes: list[dict]) -> dict[str, np.ndarray]:
    """All pulls of the published episodes, each of which ends with a row that is no pull."""
    arms, rewards = [], []
    for number, episode in enumerate(episodes):
        arm, reward = np.asarray(episode["action"]), np.asarray(episode["next_reward"])
        if arm.ndim != 1 or arm.shape != reward.shape or arm.size < 2:
            raise UserError(
                f"collect.data_path={path}: episode {number} has `action` {arm.shape} and"
                f" `next_reward` {reward.shape}; both must have one row for each pull and a last"
                " one for the end"
            )
        arms.append(arm[:-1])
        rewards.append(reward[:-1])
    return {"arms": np.concatenate(arms), "rewards": np.concatenate(rewards)}


def _check(path: Path, arms: np.ndarray, rewards: np.ndarray) -> None:
    if arms.ndim != 2 or arms.size == 0 or arms.shape != rewards.shape:
        raise UserError(
            f"{path}: arms {arms.shape} and rewards {rewards.shape} must both be (episode, pull)"
        )
    if arms.dtype.kind not in "iuf" or not np.isin(arms, np.arange(ARMS)).all():
        raise UserError(f"{path}: arms must be whole numbers from 0 to {ARMS - 1}")
    if rewards.dtype.kind not in "iuf" or not np.isfinite(rewards).all():
        raise UserError(f"{path}: rewards must be finite numbers")
