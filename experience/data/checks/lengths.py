"""Whether the episodes' lengths and flags leave something to learn from."""

import numpy as np
from jaxtyping import Bool

from experience.data.checks.finding import Finding, Problem, counted

#: A smaller share of rows in histories is worth a warning.
USED_AT_LEAST = 0.9

Flags = Bool[np.ndarray, " row"]


def episode_lengths(ends: Flags) -> np.ndarray:
    """Rows of each episode; the end of the file closes the last one."""
    last = np.union1d(np.flatnonzero(ends), [len(ends) - 1])
    return np.diff(last, prepend=-1)


def unused_rows(ends: Flags, horizon: int) -> list[Finding]:
    """Rows that no history reaches, because their episode is longer than `horizon`."""
    lengths = episode_lengths(ends)
    used = int(np.minimum(lengths, horizon).sum())
    rows = len(ends)
    if used >= USED_AT_LEAST * rows:
        return []
    if not ends[:-1].any():
        said = (
            f"no row is marked as an end, so that all {rows:,} rows are one episode, of which"
            f" env.horizon={horizon} leaves {used:,} to the agent"
        )
        remedy = "set 'timeouts' in the last row of every episode, or raise env.horizon"
        return [Finding(Problem.NO_ENDS, said, remedy)]
    said = (
        f"{(lengths > horizon).sum():,} of {len(lengths):,} episodes are longer than"
        f" env.horizon={horizon} (the longest has {lengths.max():,} rows), so that the agent sees"
        f" {used:,} of {rows:,} rows ({used / rows:.0%})"
    )
    remedy = "raise env.horizon to the episodes' length, or mark where they end"
    return [Finding(Problem.ROWS_BEYOND_HORIZON, said, remedy)]


def time_limits_as_terminals(terminals: Flags, timeouts: Flags, horizon: int) -> list[Finding]:
    """Terminal rows that all stand where the time was up: `done` stored as `terminals`."""
    lengths = episode_lengths(terminals | timeouts)
    last = np.cumsum(lengths) - 1
    terminal = terminals[last]
    if terminal.sum() < 2 or timeouts.any() or (lengths[terminal] != horizon).any():
        return []
    said = (
        f"{counted(terminals)} are terminal, all of them after exactly env.horizon={horizon} steps:"
        " they look like a time limit, after which values are taken to be 0"
    )
    remedy = "store time limits in 'timeouts' instead of 'terminals'"
    return [Finding(Problem.TIME_LIMITS_AS_TERMINALS, said, remedy)]


def shorter_time_limit(time_limit: int | None, horizon: int) -> list[Finding]:
    """An environment that ends its episodes before `horizon` steps; None ends none."""
    if time_limit is None or time_limit >= horizon:
        return []
    said = (
        f"the environment cuts its episodes off after {time_limit} steps, but env.horizon={horizon}"
        " lets imagined ones go on"
    )
    remedy = f"give env.horizon={time_limit} unless you mean it"
    return [Finding(Problem.SHORTER_TIME_LIMIT, said, remedy)]


def both_flags(terminals: Flags, timeouts: Flags) -> list[Finding]:
    """Rows that are terminal and cut off at once."""
    both = terminals & timeouts
    if not both.any():
        return []
    said = f"{counted(both)} are in 'terminals' and in 'timeouts', and count as terminal"
    return [Finding(Problem.BOTH_FLAGS, said, "")]


def unknown_final_states(terminals: Flags) -> list[Finding]:
    """For a dataset without next observations: the world model never sees how episodes end."""
    if not terminals.any():
        return []
    said = (
        f"{counted(terminals)} are terminal, but without 'next_observations' the world model learns"
        " nothing from them, their rewards included"
    )
    remedy = "add 'next_observations', the state that each row's action led to"
    return [Finding(Problem.UNKNOWN_FINAL_STATES, said, remedy)]
