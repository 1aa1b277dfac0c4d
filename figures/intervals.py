"""Bootstrap intervals over seeds, as rliable draws them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from jaxtyping import Float

_REPETITIONS = 2000


def bootstrap(
    scores: Float[np.ndarray, "seed dataset *point"],
    statistic: Callable[[np.ndarray], np.ndarray],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A statistic (of one axis) with the ends of its 95 % interval, stratified by dataset."""
    from rliable import library

    with _seeded():
        point, interval = library.get_interval_estimates({"": scores}, statistic, reps=_REPETITIONS)
    return point[""], *interval[""]


@contextmanager
def _seeded() -> Iterator[None]:
    """The same draws every time: rliable takes numpy's global ones, whatever it is given."""
    state = np.random.get_state()
    np.random.seed(0)
    try:
        yield
    finally:
        np.random.set_state(state)
