"""Where a dataset's states are measured from, so that float32 can tell its rows apart.

A position of 1e8 m or a unix time has no digits left in float32 for what changes from step to step.
Such a column is measured from its mean, in float64, before anything is cast: by the world model, by
the agent and in the real environment alike, so that all of them mean the same state. All others
stay in their own units.
"""

import sys
from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Shaped

#: A column is measured from its mean if float32's step at its largest value is more than this share
#: of its standard deviation.
COARSEST = 1e-4
#: Row-to-row changes of a column that float32 may lose without a word, as a share of all.
MOST_LOST = 1e-3

Origin = Float[np.ndarray, " state"]


#: observations as stored → their origin
OriginOf = Callable[[Shaped[np.ndarray, "row state"]], Origin | None]


def find_origin(observations: Shaped[np.ndarray, "row state"]) -> Origin | None:
    """What to take off each column, in float64; None if every column can stay as it is.

    A column that never changes stays: it has no steps to lose.
    """
    # sums of numbers beyond float64's range are inf, and told elsewhere
    with np.errstate(over="ignore", invalid="ignore"):
        mean = observations.mean(0, dtype=np.float64)
        std = observations.std(0, dtype=np.float64)
        far = _float32_step(observations) > COARSEST * std
    varies = observations.min(0) != observations.max(0)
    origin = np.where(far & varies & np.isfinite(mean), mean, 0.0)
    return origin if origin.any() else None


def measured_from(states: Shaped[np.ndarray, "... state"], origin: Origin | None) -> np.ndarray:
    """`states` less `origin` in their own precision or float64's, then as float32."""
    if origin is not None:
        states = np.asarray(states, np.float64) - origin
    # a float64 beyond float32 becomes inf, which whoever reads a file refuses
    with np.errstate(over="ignore"):
        return np.asarray(states, np.float32)


def own_units(states: Shaped[np.ndarray, "... state"], origin: Origin | None) -> np.ndarray:
    """What `measured_from` was given, in float64 where it has an origin."""
    return states if origin is None else np.asarray(states, np.float64) + origin


def warn_of_lost_steps(
    stored: Shaped[np.ndarray, "row column"],
    kept: Float[np.ndarray, "row column"],
    key: str,
    where: str,
) -> None:
    """Says on stderr which columns of `stored` do not survive as float32 `kept`.

    A column suffers if its rows change from one to the next and float32 no longer shows it, or if
    it was stored as float32 already at values that leave no digits for what varies, or for steps
    of 1 at all (a unix time that stands still for minutes).
    """
    if stored.dtype.itemsize <= 4 and stored.dtype.kind == "f":
        std, step = stored.std(0, dtype=np.float64), _float32_step(stored)
        for column in np.flatnonzero((step > MOST_LOST * std) & ((std > 0) | (step > 1))):
            _warn(
                f"{where}: column {column} of '{key}' is stored as {stored.dtype}, whose steps of"
                f" {step[column]:.3g} are coarse beside its standard deviation"
                f" {std[column]:.3g}; store it as float64, or as a difference to a fixed value"
            )
        return
    changes = np.diff(stored, axis=0) != 0
    lost = changes & (np.diff(kept, axis=0) == 0)
    share = lost.sum(0) / np.maximum(changes.sum(0), 1)
    for column in np.flatnonzero(share > MOST_LOST):
        _warn(
            f"{where}: float32 shows no difference between {share[column]:.1%} of the neighbouring"
            f" rows that differ in column {column} of '{key}'; give it a smaller range, for"
            " example as a difference to a fixed value"
        )


def _float32_step(values: Shaped[np.ndarray, "row column"]) -> Float[np.ndarray, " column"]:
    """From each column's largest value to the next one that float32 has."""
    return np.spacing(np.abs(values).max(0).astype(np.float32)).astype(np.float64)


def _warn(text: str) -> None:
    print(f"warning: {text}", file=sys.stderr, flush=True)
