"""Figures of datasets whose figures are known beforehand."""

import dataclasses

import numpy as np
import pytest

from experience.data.quality import assess, effective_rank
from experience.data.rows import Dataset
from experience.tasks import get_task
from harness.configuration.groups import EnvConfig

ENV = EnvConfig(dataset_path="x", horizon=10, ref_min=0.0, ref_max=20.0)
TASK = get_task("custom", "x", ENV)


def dataset(episodes: int = 4, steps: int = 10, seed: int = 0) -> Dataset:
    """Episodes of a random walk with reward 1 a step; every other one ends in a terminal."""
    rng = np.random.default_rng(seed)
    states = rng.normal(size=(episodes, steps + 1, 3)).astype(np.float32).cumsum(1)
    ends = np.zeros((episodes, steps), bool)
    terminals, timeouts = ends.copy(), ends.copy()
    terminals[::2, -1] = timeouts[1::2, -1] = True
    return Dataset(
        observations=states[:, :-1].reshape(-1, 3),
        actions=rng.uniform(-1, 1, (episodes * steps, 2)).astype(np.float32),
        rewards=np.ones(episodes * steps, np.float32) + rng.normal(0, 1e-6, episodes * steps),
        terminals=terminals.ravel(),
        timeouts=timeouts.ravel(),
        next_observations=states[:, 1:].reshape(-1, 3),
    )


def test_returns_lengths_and_ends():
    found = assess(dataset(), TASK)
    assert found.returns == pytest.approx([10] * 4, abs=1e-3)
    assert found.scores == pytest.approx([0.5] * 4, abs=1e-3)
    assert found.lengths.tolist() == [10] * 4
    assert found.ends == {"terminal": 2, "timeout": 2, "the file's end": 0}
    assert found.oddities == ()


def test_the_reward_shift_is_not_part_of_a_return():
    rows = dataset()
    shifted = dataclasses.replace(rows, rewards=rows.rewards - 1)
    task = dataclasses.replace(TASK, reward_shift=-1.0)
    assert assess(shifted, task).returns == pytest.approx(assess(rows, TASK).returns)


def test_effective_rank():
    rng = np.random.default_rng(0)
    assert effective_rank(rng.normal(size=(20_000, 5))) == pytest.approx(5, abs=0.01)
    line = rng.normal(size=(1000, 1)) @ np.ones((1, 5))
    assert effective_rank(line) == pytest.approx(1, abs=1e-3)


def test_neighbours_are_of_other_episodes():
    rows = dataset(episodes=2)
    twins = {key: np.concatenate([array[:10]] * 2) for key, array in rows.arrays.items()}
    assert assess(Dataset(**twins), TASK).distances == pytest.approx(np.zeros(20), abs=1e-6)
    alone = {key: array[:10] for key, array in rows.arrays.items()}
    assert assess(Dataset(**alone), TASK).distances.size == 0
    assert (assess(rows, TASK).distances > 1e-3).all()


def test_saturated_actions():
    rows = dataset()
    actions = rows.actions.copy()
    actions[:10, 0] = 1.0
    found = assess(dataclasses.replace(rows, actions=actions), TASK).saturation
    assert found[0] >= 0.25 and found[1] < 0.1


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda d: {"observations": d.observations[::-1].copy()}, "shuffled"),
        (lambda d: {"next_observations": None}, "no next_observations"),
        (lambda d: {"rewards": np.zeros(d.rows, np.float32)}, "every reward is 0"),
        (lambda d: {"actions": 3 * d.actions}, r"outside \[-1, 1\]"),
        (lambda d: {"actions": d.actions * np.float32([1, 0])}, r"action columns \[1\]"),
        (lambda d: {"timeouts": d.timeouts | d.terminals}, "terminal and a timeout"),
        (lambda d: {"timeouts": d.timeouts & False}, "longer than the horizon"),
    ],
)
def test_what_is_odd_is_said(change, sentence):
    rows = dataset()
    oddities = assess(dataclasses.replace(rows, **change(rows)), TASK).oddities
    assert any(_matches(sentence, oddity) for oddity in oddities), oddities


def _matches(pattern: str, text: str) -> bool:
    import re

    return re.search(pattern, text) is not None
