"""Whether the marks of episodes' ends agree with the states around them."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float

from experience.data.checks.finding import Finding, Problem, counted

#: Two records of one state may differ by this share of its standard deviation (half precision).
SAME_STATE = 1e-3
#: Where the typical row differs by more standard deviations, states of other moments are compared.
UNRELATED = 0.1
#: A step this many times its dimension's 90 % quantile jumps; ordinary ones reach 2 to 4 times.
JUMP = 5.0
#: The share of the ends that must tell the same story before it is given as the cause.
MOST = 0.8
#: More rows than this share that end an episode are the complement of what was meant.
ENDS_AT_MOST = 0.5

_SAMPLE, _BLOCK = 100_000, 1 << 17
_MARK = "set 'timeouts' (or 'terminals') in the last row of every episode, and nowhere else"

_ORDER = (
    "store the rows in the order in which they happened, 'next_observations' being the state that"
    " the row's action led to"
)

States = Float[np.ndarray, "row state"]
Flags = Bool[np.ndarray, " row"]
#: Of every row but the last one.
StepFlags = Bool[np.ndarray, " step"]


def broken_episodes(
    observations: States, next_observations: States | None, terminals: Flags, timeouts: Flags
) -> list[Finding]:
    """Where a row inside an episode is not followed by the state it led to, and the reverse."""
    ends = terminals | timeouts
    if ends.mean() > ENDS_AT_MOST:
        said = (
            f"{counted(ends)} end an episode; 'terminals' or 'timeouts' may hold masks, which are"
            " 0 where an episode ends"
        )
        return [Finding(Problem.ENDS_EVERYWHERE, said, _MARK)]
    if next_observations is None:
        return _jumps(observations, ends)
    return _continuity(observations, next_observations, terminals, timeouts)


def _continuity(
    observations: States, next_observations: States, terminals: Flags, timeouts: Flags
) -> list[Finding]:
    misplaced = _misplaced(observations[:_SAMPLE], next_observations[:_SAMPLE])
    if misplaced:
        return [Finding(Problem.UNRELATED_NEXT, misplaced, _ORDER)]
    ends = (terminals | timeouts)[:-1]
    distance = _distances(next_observations[:-1], observations[1:], _tolerance(observations))
    typical = float(np.median(distance))
    if typical * SAME_STATE > UNRELATED:
        said = (
            f"'next_observations' of {(distance > 1).sum():,} rows is not the next row's"
            " observation; the rows may be shuffled or some left out, or the two arrays normalised"
            " differently"
        )
        return [Finding(Problem.UNRELATED_NEXT, said, _ORDER)]
    # observation noise makes every row differ a little
    apart = distance > max(1.0, 10 * typical)
    findings = []
    unmarked = apart & ~ends
    if unmarked.any():
        findings.append(_unmarked(unmarked, ends, int((~ends).sum()), "next_observations"))
    joined = ~apart & ends
    if joined.any() and not unmarked.any():
        findings.append(_joined(observations, next_observations, joined, ends, terminals[:-1]))
    return findings


def _misplaced(observations: States, next_observations: States) -> str:
    """What is wrong if most rows' next state is, to the last bit, that of another step."""

    def share(ahead: int) -> float:
        count = len(observations) - ahead
        same = next_observations[:count] == observations[ahead:]
        return same.all(axis=1).mean() if count > 0 else 0.0

    # states that never change are those of any step
    if share(1) > 1 - MOST:
        return ""
    if share(0) >= MOST:
        return f"'next_observations' repeats the row's observation in {share(0):.0%} of the rows"
    if share(2) >= MOST:
        return f"'next_observations' is one row too far ahead in {share(2):.0%} of the rows"
    return ""


def _unmarked(unmarked: StepFlags, ends: StepFlags, inside: int, told_by: str) -> Finding:
    """Rows inside episodes that do not go on, and what that may come from."""
    shift = _shift(unmarked, ends)
    said = (
        f"the next row belongs to another episode after {counted(unmarked, inside, 'rows')} that"
        f" are not marked as ends, as {told_by} shows, so that episodes would be spliced"
    )
    if not ends.any():
        return Finding(Problem.UNMARKED_ENDS, f"{said}; no row is marked as an end", _MARK)
    if shift:
        steps = f"{abs(shift)} row{'s' if abs(shift) > 1 else ''}"
        cause = f"the ends are marked {steps} too {'late' if shift > 0 else 'early'}"
        return Finding(Problem.SHIFTED_ENDS, f"{said}; {cause}", _MARK)
    cause = "ends are missing among the marked ones, or rows were left out"
    return Finding(Problem.UNMARKED_ENDS, f"{said}; {cause}", _MARK)


def _shift(breaks: StepFlags, ends: StepFlags) -> int:
    """By how many rows most ends stand after the breaks that they mark; 0 if by none."""
    rows = np.flatnonzero(breaks)
    for shift in (1, -1, 2, -2):
        marked = rows + shift
        marked = marked[(marked >= 0) & (marked < len(ends))]
        if len(marked) and ends[marked].sum() >= MOST * len(rows):
            return shift
    return 0


def _joined(
    observations: States,
    next_observations: States,
    joined: StepFlags,
    ends: StepFlags,
    terminals: StepFlags,
) -> Finding:
    """Ends after which the file goes on from the very state that the last row led to."""
    score = _jump_scores(observations, ends)
    if joined.sum() >= MOST * ends.sum() and np.median(score[joined]) > JUMP:
        said = (
            f"'next_observations' of {counted(joined, int(ends.sum()), 'ends')} is the next"
            " episode's first state, as environments that reset themselves return it"
        )
        remedy = (
            "store the state that the last action led to (gymnasium's vector environments keep it"
            " in info['final_obs'])"
        )
        return Finding(Problem.OVERWRITTEN_ENDS, said, remedy)
    kind = "terminal rows and timeouts" if (joined & terminals).any() else "timeouts"
    said = (
        f"after {counted(joined, int(ends.sum()), kind)} the next row goes on from the state that"
        " was reached: pieces of longer runs, or marks where no episode ends"
    )
    return Finding(Problem.JOINED_ENDS, said, "check that these rows end an episode")


def _jumps(observations: States, ends: Flags) -> list[Finding]:
    """Without next states: steps inside episodes that are as large as a reset."""
    ends = ends[:-1]
    score = _jump_scores(observations, ends)
    marked = np.median(score[ends]) if ends.any() else 0.0
    jumps = (score > max(JUMP, marked / 2)) & ~ends
    if not jumps.any():
        return []
    if ends.any() and marked <= JUMP and _shift(jumps, ends):
        return [_unmarked(jumps, ends, int((~ends).sum()), "the size of the next step")]
    said = (
        f"the state jumps by more than {JUMP:g} times the usual step after"
        f" {counted(jumps, int((~ends).sum()))} inside episodes, where an end may be missing"
    )
    return [Finding(Problem.JUMPS, said, f"look at them, and {_MARK}")]


def _jump_scores(observations: States, ends: StepFlags) -> Float[np.ndarray, " step"]:
    """The size of each step in 90 % quantiles of its dimension, largest over the dimensions.

    Dimensions that hardly ever move tell nothing: a contact and a reset look the same there.
    """
    inside = np.flatnonzero(~ends)
    if inside.size == 0:
        return np.zeros(len(ends))
    inside = inside[:: max(1, len(inside) // _SAMPLE)]
    usual = np.quantile(np.abs(observations[inside + 1] - observations[inside]), 0.9, axis=0)
    moving = usual > SAME_STATE * _sample(observations).std(axis=0)
    if not moving.any():
        return np.zeros(len(ends))
    # the others never count
    scale = np.where(moving, usual, np.inf)
    return _distances(observations[1:], observations[:-1], scale)


def _tolerance(observations: States) -> Float[np.ndarray, " state"]:
    """How far two records of one state may be apart, per dimension."""
    sample = _sample(observations)
    rounding = 8 * np.finfo(np.float32).eps * np.abs(sample).max(axis=0)
    return SAME_STATE * sample.std(axis=0, dtype=np.float64) + rounding + np.finfo(np.float32).tiny


def _sample(observations: States) -> States:
    return observations[:: max(1, len(observations) // _SAMPLE)]


def _distances(
    first: States, second: States, scale: Float[np.ndarray, " state"]
) -> Float[np.ndarray, " row"]:
    """The largest difference of each row in units of `scale`."""

    def blocks() -> Iterator[np.ndarray]:
        for start in range(0, len(first), _BLOCK):
            block = slice(start, start + _BLOCK)
            yield (np.abs(first[block] - second[block]) / scale).max(axis=1)

    return np.concatenate(list(blocks()))
