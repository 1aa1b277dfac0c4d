"""Whether actions are in the units that the agent acts in."""

import numpy as np
from jaxtyping import Float

from experience.data.checks.finding import Finding, Problem, counted

#: float32 arithmetic on the way into a file moves a bound by far less than this.
ACTION_ROUNDING = 1e-4
#: Further out than this is no rounding.
SLIGHTLY = 0.1
#: Actions that nowhere leave an environment's narrower bounds but reach this share of them.
REACHED = 0.99

Actions = Float[np.ndarray, "row action"]
Bounds = Float[np.ndarray, " action"]


def actions_outside(actions: Actions, *, scaled_here: bool) -> list[Finding]:
    """Actions that leave [-1, 1], which were `scaled_here` from the dataset's own bounds or not."""
    beyond = np.abs(actions) > 1 + ACTION_ROUNDING
    outside = np.asarray(beyond.any(axis=1))
    if not outside.any():
        return []
    row = int(np.argmax(outside))
    low, high = float(actions.min()), float(actions.max())
    dimensions = ", ".join(str(index) for index in np.flatnonzero(beyond.any(axis=0)))
    said = (
        f"'actions' leaves [-1, 1] in {counted(outside)}, in dimension {dimensions}, first with"
        f" {actions[row]}; the smallest is {low:g} and the largest {high:g}"
    )
    clip = "cut them off with env.clip_actions=true"
    if scaled_here:
        said += ", where -1 and 1 are the bounds of the dataset's own action space"
        return [Finding(Problem.ACTIONS_OUTSIDE, said, f"{clip}, or correct that action space")]
    rescale = "store 2 · (action − low) / (high − low) − 1 with the environment's bounds"
    slight = max(-low, high) <= 1 + SLIGHTLY
    cause = "rounding or exploration noise: " if slight else "the environment's own units: "
    remedy = f"if this is {cause}{clip if slight else rescale}"
    other = f"otherwise {rescale if slight else clip}"
    return [Finding(Problem.ACTIONS_OUTSIDE, said, f"{remedy}; {other}")]


def actions_clipped(actions: Actions) -> list[Finding]:
    """The actions that `env.clip_actions=true` moves to -1 or 1."""
    outside = np.asarray((np.abs(actions) > 1).any(axis=1))
    if not outside.any():
        return []
    furthest = float(np.abs(actions).max())
    said = f"actions clipped to [-1, 1] in {counted(outside)}, the furthest from {furthest:g}"
    return [Finding(Problem.ACTIONS_CLIPPED, said, "")]


def actions_unscaled(actions: Actions, low: Bounds, high: Bounds) -> list[Finding]:
    """Actions that fill the environment's bounds, where these are narrower than [-1, 1].

    Those of a wider environment leave [-1, 1] and are found by `actions_outside`.
    """
    narrow = (low >= -1) & (high <= 1) & (high - low < 2 * REACHED) & (high > low)
    if not narrow.any():
        return []
    lowest, highest = actions.min(axis=0), actions.max(axis=0)
    inside = (lowest >= low - ACTION_ROUNDING) & (highest <= high + ACTION_ROUNDING)
    filled = highest - lowest >= REACHED * (high - low)
    unscaled = np.flatnonzero(narrow & inside & filled)
    if unscaled.size == 0:
        return []
    index = int(unscaled[0])
    said = (
        f"'actions' fills exactly the environment's bounds [{low[index]:g}, {high[index]:g}] in"
        f" dimension {index}, as if it were in the environment's own units; -1 and 1 stand for the"
        " bounds here"
    )
    remedy = "store 2 · (action − low) / (high − low) − 1, or ignore this if you have"
    return [Finding(Problem.ACTIONS_UNSCALED, said, remedy)]
