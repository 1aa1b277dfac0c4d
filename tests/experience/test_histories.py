"""World transitions and histories: golden numbers, and a loop that reads like eq. 4."""

import dataclasses
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from experience.data.rows import Dataset
from experience.data.sources.neorl_npz import from_neorl_layout
from experience.data.transitions import world_transitions
from experience.histories import build_histories
from harness.errors import UserError

GOLDEN = Path(__file__).parent.parent / "golden"


def golden(name: str) -> tuple[dict[str, np.ndarray], Dataset]:
    with np.load(GOLDEN / f"dataset_{name}.npz") as file:
        arrays = dict(file)
    raw = {key.removeprefix("in_"): value for key, value in arrays.items() if key[:3] == "in_"}
    if name == "neorl":
        return arrays, from_neorl_layout(raw, int(arrays["max_episode_steps"]), "golden")
    dataset = Dataset(**{"next_observations": None, **raw})
    if name == "antmaze":
        dataset.rewards[:] -= 1
    return arrays, dataset


@pytest.mark.parametrize("name", ["d4rl_loco", "neorl", "adroit", "antmaze"])
def test_world_transitions_are_the_published_ones(name):
    expected, dataset = golden(name)
    transitions = world_transitions(dataset)
    np.testing.assert_array_equal(transitions.states, expected["world_observations"])
    np.testing.assert_array_equal(transitions.actions, expected["world_actions"])
    np.testing.assert_array_equal(transitions.next_states, expected["world_next_observations"])
    np.testing.assert_array_equal(transitions.rewards, expected["world_rewards"])


@pytest.mark.parametrize("name", ["d4rl_loco", "neorl", "adroit", "antmaze"])
def test_histories_are_the_published_ones(name):
    expected, dataset = golden(name)
    tape = build_histories(
        dataset,
        int(expected["max_episode_steps"]),
        stop_at_first_terminal=name == "antmaze",
        ends_by_timeout_only=name == "antmaze",
    )
    observation = tape.observation(jnp.zeros(tape.action.shape[1]))
    np.testing.assert_allclose(observation, expected["history_observation"], rtol=1e-6)
    np.testing.assert_allclose(tape.next_reward, expected["history_next_reward"], rtol=1e-6)
    np.testing.assert_array_equal(tape.action, expected["history_action"])
    np.testing.assert_array_equal(tape.start, expected["history_start"])
    np.testing.assert_array_equal(tape.next_terminated, expected["history_next_terminated"])
    np.testing.assert_array_equal(tape.next_truncated, expected["history_next_truncated"])
    starts = np.append(np.flatnonzero(tape.start), len(tape.start))
    np.testing.assert_array_equal(np.diff(starts), expected["history_lengths"])
    assert tape.real.all()


def random_dataset(rng: np.random.Generator, *, next_observations: bool) -> Dataset:
    """Every row is recognisable by its values; ends of all kinds, also in adjacent rows."""
    rows = int(rng.integers(4, 60))
    observations = rng.normal(size=(rows, 3)).astype(np.float32)
    return Dataset(
        observations=observations,
        actions=rng.normal(size=(rows, 2)).astype(np.float32),
        rewards=rng.normal(size=rows).astype(np.float32),
        terminals=rng.random(rows) < rng.choice([0, 0.05, 0.3]),
        timeouts=rng.random(rows) < rng.choice([0, 0.05, 0.3]),
        next_observations=observations + 1 if next_observations else None,
    )


def naive_world(dataset: Dataset) -> list[tuple[int, np.ndarray]]:
    """(row, next state) of every transition, row by row."""
    kept = []
    for row in range(dataset.rows - 1):
        if dataset.timeouts[row]:
            continue
        if dataset.next_observations is not None:
            kept.append((row, dataset.next_observations[row]))
        elif not dataset.terminals[row]:
            kept.append((row, dataset.observations[row + 1]))
    return kept


def naive_histories(dataset: Dataset, horizon: int, stop: bool, timeout_only: bool) -> list[dict]:
    """Every tape row as a dict, episode by episode and step by step."""
    known = dataset.next_observations is not None
    tape, row = [], 0
    while row < dataset.rows:
        episode = []
        while True:
            episode.append(row)
            row += 1
            end = dataset.timeouts[row - 1]
            if not timeout_only:
                end = end or dataset.terminals[row - 1]
            if end or row == dataset.rows:
                break
        if stop and dataset.terminals[episode].any():
            episode = episode[: int(np.argmax(dataset.terminals[episode])) + 1]
        if not known and not dataset.terminals[episode[-1]]:
            episode = episode[:-1]
        episode = episode[: horizon if known else horizon - 1]
        for step, at in enumerate(episode):
            last = step == len(episode) - 1
            tape.append(
                {
                    "state": dataset.observations[at],
                    "action": dataset.actions[at],
                    "next_reward": dataset.rewards[at],
                    "start": step == 0,
                    "next_terminated": last and dataset.terminals[at],
                    "next_truncated": last and not dataset.terminals[at],
                }
            )
        if episode:
            after = min(episode[-1] + 1, dataset.rows - 1)
            following = dataset.observations[after]
            if known:
                following = dataset.next_observations[episode[-1]]
            tape.append({**tape[-1], "state": following, "start": False})
    return tape


@pytest.mark.parametrize("next_observations", [True, False])
def test_world_transitions_follow_the_spec_on_random_datasets(next_observations):
    rng = np.random.default_rng(0)
    for _ in range(50):
        dataset = random_dataset(rng, next_observations=next_observations)
        expected = naive_world(dataset)
        if not expected:
            with pytest.raises(UserError, match="no transition"):
                world_transitions(dataset)
            continue
        rows = [row for row, _ in expected]
        transitions = world_transitions(dataset)
        np.testing.assert_array_equal(transitions.states, dataset.observations[rows])
        np.testing.assert_array_equal(transitions.actions, dataset.actions[rows])
        np.testing.assert_array_equal(transitions.rewards, dataset.rewards[rows])
        np.testing.assert_array_equal(transitions.next_states, [state for _, state in expected])


@pytest.mark.parametrize("next_observations", [True, False])
@pytest.mark.parametrize(("stop", "timeout_only"), [(False, False), (True, True)])
def test_histories_follow_the_spec_on_random_datasets(next_observations, stop, timeout_only):
    rng = np.random.default_rng(1)
    for _ in range(150):
        dataset = random_dataset(rng, next_observations=next_observations)
        horizon = int(rng.integers(2, 20))
        expected = naive_histories(dataset, horizon, stop, timeout_only)
        rules = {"stop_at_first_terminal": stop, "ends_by_timeout_only": timeout_only}
        if not expected:
            with pytest.raises(UserError, match="no episode"):
                build_histories(dataset, horizon, **rules)
            continue
        tape = build_histories(dataset, horizon, **rules)
        for key in expected[0]:
            np.testing.assert_array_equal(getattr(tape, key), [row[key] for row in expected], key)


def test_a_success_in_the_very_last_row_is_not_lost():
    dataset = Dataset(
        observations=np.arange(3, dtype=np.float32)[:, None],
        actions=np.zeros((3, 1), np.float32),
        rewards=np.array([-1, -1, 0], np.float32),
        terminals=np.array([False, False, True]),
        timeouts=np.zeros(3, dtype=bool),
        next_observations=None,
    )
    tape = build_histories(dataset, 10, stop_at_first_terminal=True, ends_by_timeout_only=True)
    np.testing.assert_array_equal(tape.next_reward, [-1, -1, 0, 0])
    np.testing.assert_array_equal(tape.next_terminated, [False, False, True, True])


def test_an_ending_in_the_very_last_row_is_learned_from_in_own_data():
    dataset = Dataset(
        observations=np.arange(3, dtype=np.float32)[:, None],
        actions=np.zeros((3, 1), np.float32),
        rewards=np.array([0, 0, 100], np.float32),
        terminals=np.array([False, False, True]),
        timeouts=np.zeros(3, dtype=bool),
        next_observations=np.arange(1, 4, dtype=np.float32)[:, None],
    )
    assert world_transitions(dataset).rewards.tolist() == [0, 0]
    kept = world_transitions(dataset, last_ending=True)
    assert kept.rewards.tolist() == [0, 0, 100] and kept.next_states[-1] == 3
    cut_off = dataclasses.replace(dataset, terminals=dataset.timeouts)
    assert len(world_transitions(cut_off, last_ending=True).rewards) == 2


def test_building_changes_nothing_in_the_dataset():
    dataset = random_dataset(np.random.default_rng(3), next_observations=False)
    before = {key: np.copy(value) for key, value in vars(dataset).items() if value is not None}
    world_transitions(dataset)
    build_histories(dataset, 10, stop_at_first_terminal=False, ends_by_timeout_only=False)
    for key, value in before.items():
        np.testing.assert_array_equal(getattr(dataset, key), value, key)
