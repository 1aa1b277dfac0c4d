"""NeoRL's environments: gym's v3 locomotion tasks with the x position in the observation."""

from typing import TYPE_CHECKING

from neorl.datasets import get_dataset

if TYPE_CHECKING:
    import gym


def make_environment(dataset_name: str) -> "gym.Env":
    """The environment of e.g. `Hopper-v3-low`; gym needs a MuJoCo engine under it.

    Raises `UserError` for an unknown dataset.
    """
    import gym

    task = get_dataset(dataset_name).task
    return gym.make(task, exclude_current_positions_from_observation=False)
