"""The rows that an ensemble is trained on, and those that are held out to judge it (eq. 10)."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float

from harness.errors import UserError

#: The published split is scikit-learn's `train_test_split(random_state=42)`.
HOLDOUT_FRACTION, HOLDOUT_SEED = 0.2, 42
#: Held-out rows of a continuous dataset at most.
MOST_HELD_OUT = 1000


class Data(NamedTuple):
    """Normalised rows: inputs next to targets, so that one gather fetches both."""

    train: Float[Array, "row in_out"]
    holdout: Float[Array, "holdout in_out"]


def continuous_holdout(count: int) -> int:
    """How many of a continuous dataset's `count` transitions are held out."""
    return min(int(count * HOLDOUT_FRACTION), MOST_HELD_OUT)


def bandit_holdout(count: int) -> int:
    """How many of the bandit's `count` pulls are held out."""
    return math.ceil(count * HOLDOUT_FRACTION)


def split_rows(count: int, held: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of training and holdout rows, in the order of the published split.

    The choice depends on the number of rows only, never on a run's seed. Raises UserError when
    there are too few to hold any out.
    """
    if held == 0:
        raise UserError(
            f"the dataset has {count} transitions to train a world model on, too few to hold any"
            " out: collect more"
        )
    order = np.random.RandomState(HOLDOUT_SEED).permutation(count)
    return order[held:], order[:held]
