"""Logged rows as curves."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from harness.log import metrics

# A dispatch of fewer updates than this share of the usual number is joined to the one before.
_SHORT = 0.5


def curve(
    rows: Sequence[dict[str, Any]], name: str
) -> tuple[Float[np.ndarray, " row"], Float[np.ndarray, " row"]]:
    """Steps and values of a metric, scores in percent; what was not finite is NaN.

    The figures of updates are means over a dispatch, of which a round's last may be cut to a single
    update: such a row counts by its updates, or its noise would end every curve in a stroke.
    """
    having = [row for row in rows if name in row]
    steps = np.array([row[metrics.STEP] for row in having], float)
    values = np.array(
        [np.nan if row[name] is None else metrics.shown(name, row[name]) for row in having], float
    )
    if having and all(metrics.UPDATES_PER_SECOND in row for row in having):
        return _without_short(steps, values)
    return steps, values


def _without_short(steps: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    updates = np.diff(steps, prepend=0.0)
    # a group is a row and the short ones after it
    starts = np.flatnonzero((updates >= _SHORT * np.median(updates)) | (np.arange(len(steps)) == 0))
    weights = np.where(np.isnan(values), 0.0, updates)
    total = np.add.reduceat(weights, starts)
    sums = np.add.reduceat(weights * np.nan_to_num(values), starts)
    joined = np.divide(sums, total, out=np.full(len(starts), np.nan), where=total > 0)
    # bit for bit where nothing was joined
    alone = np.diff(np.append(starts, len(steps))) == 1
    joined[alone] = values[starts][alone]
    return steps[np.append(starts[1:] - 1, len(steps) - 1)], joined
