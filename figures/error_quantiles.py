"""The median of an error at each step, and its band: one definition for figure, table and program.

A trajectory that has ended counts no more: what is told of step t is of those that reach it. (The
published figure carries the last error of an ended trajectory on.)
"""

import numpy as np
from jaxtyping import Float

#: Median and band.
QUANTILES = (0.05, 0.5, 0.95)
_MEDIAN = QUANTILES.index(0.5)


def step_quantiles(
    values: Float[np.ndarray, "step trajectory"],
) -> Float[np.ndarray, "quantile step"]:
    """5 %, 50 % and 95 % of the trajectories that reach each step, NaN where none does; order
    statistics, so that an infinite error of some does not spoil the others."""
    reached = ~np.isnan(values).all(1)
    bands = np.full((len(QUANTILES), len(values)), np.nan)
    bands[:, reached] = np.nanquantile(values[reached], QUANTILES, axis=1, method="inverted_cdf")
    return bands


def step_medians(values: Float[np.ndarray, "step trajectory"]) -> Float[np.ndarray, " step"]:
    """The middle one of `step_quantiles`."""
    return step_quantiles(values)[_MEDIAN]
