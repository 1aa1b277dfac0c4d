"""The returns between which scores on NeoRL's tasks are normalised."""

from neorl.datasets import get_dataset

# Undiscounted episode returns of a random policy and of the expert.
REFERENCE_RETURNS: dict[str, tuple[float, float]] = {
    "HalfCheetah-v3": (-298.0, 12284.0),
    "Hopper-v3": (5.0, 3294.0),
    "Walker2d-v3": (1.0, 5143.0),
}


def reference_returns(name: str) -> tuple[float, float]:
    """(minimum, maximum) episode return that define scores 0 and 1 on dataset `name`.

    All levels of a task share them. Raises `UserError` for an unknown dataset.
    """
    return REFERENCE_RETURNS[get_dataset(name).task]
