"""Own datasets: complete episodes of the real environment, the same for the same seed."""

import json

import h5py
import numpy as np
import pytest

from experience.data import own_file
from experience.data.dataset import load_dataset
from experience.data.recording import UniformBehaviour, record_blocks
from experience.data.rows import Dataset
from experience.histories import build_histories
from experience.tasks import get_task
from experience.wrapper import make_env
from harness.errors import UserError

HOPPER = "hopper-own-random-v2"


@pytest.fixture(scope="module")
def blocks():
    """Two blocks of three hopper episodes."""
    return _blocks(count=2)


def _blocks(count: int, first: int = 0) -> list[list[Dataset]]:
    envs = [make_env("d4rl_loco", HOPPER) for _ in range(3)]
    stream = record_blocks(envs, UniformBehaviour(3), horizon=1000, seed=5, first=first)
    return [next(stream) for _ in range(count)]


def test_a_row_leads_to_the_next_one_and_a_fall_is_terminal(blocks):
    for episode in sum(blocks, []):
        assert (episode.next_observations[:-1] == episode.observations[1:]).all()
        assert episode.terminals.sum() == episode.terminals[-1] == 1 and not episode.timeouts.any()
        assert not np.isclose(episode.observations[0], episode.next_observations[-1]).all()


def test_the_rows_are_what_the_environment_does(blocks):
    episode = blocks[1][2]
    env = make_env("d4rl_loco", HOPPER)
    seeds = np.random.SeedSequence([5, 1]).generate_state(4)
    assert np.float32(env.reset(seed=int(seeds[3]))) == pytest.approx(episode.observations[0])
    for row in range(episode.rows):
        state, reward, done, _ = env.step(episode.actions[row])
        assert np.float32(state) == pytest.approx(episode.next_observations[row], abs=1e-6)
        assert reward == pytest.approx(episode.rewards[row], abs=1e-5)
        assert done == episode.terminals[row]


def test_a_collection_goes_on_from_any_block(blocks):
    (again,) = _blocks(count=1, first=1)
    for old, new in zip(blocks[1], again, strict=True):
        assert all((getattr(old, key) == getattr(new, key)).all() for key in old.arrays)


def test_an_episode_that_outlasts_the_horizon_is_cut_off_not_ended():
    envs = [make_env("d4rl_loco", "halfcheetah-own-x-v2")]
    (episode,) = next(record_blocks(envs, UniformBehaviour(6), horizon=7, seed=0))
    assert episode.rows == 7 and episode.timeouts.tolist() == 6 * [False] + [True]
    assert not episode.terminals.any()


def test_the_environment_s_own_time_limit_is_a_timeout():
    from harness.configuration.groups import EnvConfig

    envs = [make_env("custom", "x", EnvConfig(id="Pendulum-v1"))]
    (episode,) = next(record_blocks(envs, UniformBehaviour(1), horizon=300, seed=0))
    assert episode.rows == 200 and episode.timeouts[-1] and not episode.terminals.any()


def test_parts_survive_and_refuse_another_collection(tmp_path, blocks):
    final, settings = tmp_path / "x.hdf5", {"seed": 5}
    parts = own_file.Parts(final, settings)
    for block in blocks:
        parts.add(block)
    parts.flush()
    found = own_file.Parts(final, settings)
    assert (found.block, found.episodes) == (2, 6)
    assert found.rows == found.dataset().rows == sum(e.rows for e in sum(blocks, []))
    with pytest.raises(UserError, match="another collection"):
        own_file.Parts(final, {"seed": 6})


def test_a_file_is_read_back_where_own_names_are_looked_for(tmp_path, monkeypatch, blocks):
    monkeypatch.setenv("D4RL_DATASET_DIR", str(tmp_path))
    made = own_file.joined(sum(blocks, []))
    own_file.write(tmp_path / f"{HOPPER}.hdf5", made, {"seed": 5, "versions": {"mujoco": "x"}})
    task = get_task("d4rl_loco", HOPPER)
    read = load_dataset(task)
    assert all((getattr(made, key) == getattr(read, key)).all() for key in made.arrays)
    assert (
        build_histories(
            read, task.horizon, stop_at_first_terminal=False, ends_by_timeout_only=False
        ).start.sum()
        == 6
    )
    with h5py.File(tmp_path / f"{HOPPER}.hdf5") as file:
        assert json.loads(file.attrs["versions"]) == {"mujoco": "x"} and file.attrs["seed"] == 5


def test_whole_episodes_only(blocks):
    dataset = own_file.joined(sum(blocks, []))
    first, second = blocks[0][0].rows, blocks[0][1].rows
    assert own_file.whole_episodes(dataset, rows=1).rows == first
    assert own_file.whole_episodes(dataset, rows=first + 1).rows == first + second
    assert own_file.whole_episodes(dataset, episodes=2).rows == first + second
    assert own_file.whole_episodes(dataset, rows=10**9).rows == dataset.rows


def test_actions_that_are_not_numbers_end_the_collection():
    class Diverged(UniformBehaviour):
        def act(self, states, rewards):
            return np.full((len(states), 3), np.nan, np.float32)

    envs = [make_env("d4rl_loco", HOPPER)]
    with pytest.raises(UserError, match="not finite"):
        next(record_blocks(envs, Diverged(3), horizon=10, seed=0))
