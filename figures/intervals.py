"""Bootstrap intervals over seeds and episodes, as rliable draws them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from jaxtyping import Shaped

_REPETITIONS = 2000


def bootstrap(
    scores: Shaped[np.ndarray, "seed dataset *point"],
    statistic: Callable[[np.ndarray], np.ndarray],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A statistic (of one axis) with the ends of its 95 % interval, stratified by dataset."""
    from rliable import library

    with _seeded():
        point, interval = library.get_interval_estimates({"": scores}, statistic, reps=_REPETITIONS)
    return point[""], *interval[""]


def mean_interval(groups: Sequence[Sequence[float]]) -> tuple[float, float] | None:
    """The 95 % interval of the mean of all values; None for a single group.

    Groups are independent, values of one group (episodes of one environment) need not be: whole
    groups are drawn.
    """
    if len(groups) < 2:
        return None
    sums, counts = np.array([(np.sum(group), len(group)) for group in groups]).T

    def mean(drawn: np.ndarray) -> np.ndarray:
        return np.array([sums[drawn].sum() / counts[drawn].sum()])

    # groups by their numbers: rliable draws every entry of an array by itself
    _, low, high = bootstrap(np.arange(len(groups))[:, None], mean)
    return float(low[0]), float(high[0])


@contextmanager
def _seeded() -> Iterator[None]:
    """The same draws every time: rliable takes numpy's global ones, whatever it is given."""
    state = np.random.get_state()
    np.random.seed(0)
    try:
        yield
    finally:
        np.random.set_state(state)
