"""What a dataset is made of: returns, episodes and their ends, actions, coverage, oddities."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from experience.data.checks.actions import ACTION_ROUNDING
from experience.data.own_file import episode_starts
from experience.data.rows import Dataset
from experience.tasks import Task

#: Actions beyond this are at their bounds.
SATURATED = 0.99
#: Rows among which neighbours are looked for.
SAMPLE = 2000


@dataclass(frozen=True)
class Quality:
    """Figures of a dataset; episodes end at terminals, timeouts and the end of the file.

    `returns` are undiscounted and the environment's own, `scores` those normalised to the task's
    reference returns. `ends` counts episodes by what ended them. `effective_rank` is Roy and
    Vetterli's (EUSIPCO 2007): exp of the entropy of the singular values, normalised to sum 1, of
    the states and actions, each column standardised; its largest value is the number of columns.
    `distances` are Euclidean, in that space over the root of its dimension, from rows of a random
    sample to the nearest one of another episode. `oddities` are sentences.
    """

    returns: Float[np.ndarray, " episode"]
    scores: Float[np.ndarray, " episode"]
    lengths: Int[np.ndarray, " episode"]
    ends: dict[str, int]
    saturation: Float[np.ndarray, " action"]
    columns: int
    effective_rank: float
    distances: Float[np.ndarray, " sample"]
    oddities: tuple[str, ...]


def assess(dataset: Dataset, task: Task, seed: int = 0) -> Quality:
    """All figures of `dataset`; `seed` draws the sample for `distances`."""
    starts = episode_starts(dataset)
    lengths = np.diff(starts, append=dataset.rows)
    own_rewards = dataset.rewards.astype(np.float64) - task.reward_shift
    returns = np.add.reduceat(own_rewards, starts)
    standardised = _standardised(np.concatenate([dataset.observations, dataset.actions], axis=1))
    return Quality(
        returns=returns,
        scores=task.score(returns),
        lengths=lengths,
        ends=_ends(dataset, starts),
        saturation=(np.abs(dataset.actions) > SATURATED).mean(0),
        columns=standardised.shape[1],
        effective_rank=effective_rank(standardised),
        distances=_distances_to_other_episodes(standardised, lengths, seed),
        oddities=tuple(_oddities(dataset, task, lengths)),
    )


def effective_rank(table: Float[np.ndarray, "row column"]) -> float:
    """exp(−Σ p log p) of the singular values normalised to sum 1."""
    squares = np.linalg.eigvalsh(table.T @ table)
    values = np.sqrt(np.maximum(squares, 0))
    shares = values[values > 0] / values.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def _standardised(table: np.ndarray) -> Float[np.ndarray, "row column"]:
    """Each column with mean 0 and standard deviation 1; columns that never change are left out."""
    table = table.astype(np.float64)
    varied = table[:, np.ptp(table, axis=0) > 0]
    return (varied - varied.mean(0)) / varied.std(0)


def _ends(dataset: Dataset, starts: np.ndarray) -> dict[str, int]:
    last = np.append(starts[1:], dataset.rows) - 1
    terminal, timeout = dataset.terminals[last], dataset.timeouts[last]
    return {
        "terminal": int(terminal.sum()),
        "timeout": int((timeout & ~terminal).sum()),
        "the file's end": int((~terminal & ~timeout).sum()),
    }


def _distances_to_other_episodes(
    table: np.ndarray, lengths: np.ndarray, seed: int
) -> Float[np.ndarray, " sample"]:
    episode = np.repeat(np.arange(len(lengths)), lengths)
    rows = np.random.default_rng(seed).permutation(len(table))[:SAMPLE]
    points, episode = table[rows], episode[rows]
    squares = (points**2).sum(1)
    apart = squares[:, None] + squares - 2 * points @ points.T
    apart[episode[:, None] == episode] = np.inf
    nearest = np.sqrt(np.maximum(apart.min(1), 0) / table.shape[1])
    return nearest[np.isfinite(nearest)]


def _oddities(dataset: Dataset, task: Task, lengths: np.ndarray):
    constant = np.flatnonzero(np.ptp(dataset.observations, axis=0) == 0)
    if constant.size:
        yield f"observation columns {constant.tolist()} never change"
    idle = np.flatnonzero(np.ptp(dataset.actions, axis=0) == 0)
    if idle.size:
        yield f"action columns {idle.tolist()} never change"
    if np.ptp(dataset.rewards) == 0:
        yield f"every reward is {dataset.rewards[0]:g}: there is nothing to learn from"
    beyond = (np.abs(dataset.actions) > 1 + ACTION_ROUNDING).any(1).mean()
    if beyond:
        yield f"{beyond:.2%} of the rows have actions outside [-1, 1]"
    if (lengths > task.horizon).any():
        yield (
            f"{(lengths > task.horizon).sum()} episodes are longer than the horizon of"
            f" {task.horizon} steps: histories are cut there"
        )
    if (dataset.terminals & dataset.timeouts).any():
        yield f"{(dataset.terminals & dataset.timeouts).sum()} rows are terminal and a timeout"
    if dataset.next_observations is None:
        yield "there are no next_observations: the last row of each episode teaches nothing"
        return
    inner = ~(dataset.terminals | dataset.timeouts)[:-1]
    joined = (dataset.next_observations[:-1] == dataset.observations[1:]).all(1)
    torn = (inner & ~joined).sum() / max(inner.sum(), 1)
    if torn:
        yield (
            f"{torn:.2%} of the rows within an episode lead to another state than the next row's:"
            " the rows are shuffled, or ends of episodes are not marked"
        )
