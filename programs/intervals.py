"""Bootstrap intervals over seeds, as rliable draws them."""

import warnings
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

_REPETITIONS = 2000


def bootstrap(
    scores: Float[np.ndarray, "seed dataset *point"],
    statistic: Callable[[np.ndarray], np.ndarray],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A statistic (of one axis) with the ends of its 95 % interval, stratified by dataset."""
    from rliable import library

    with warnings.catch_warnings():
        # rliable hands arch its generator by a name that arch gives up one day
        warnings.simplefilter("ignore", FutureWarning)
        point, interval = library.get_interval_estimates(
            {"": scores}, statistic, reps=_REPETITIONS, random_state=np.random.RandomState(0)
        )
    return point[""], *interval[""]
