"""The compiled collector against the plain reference, on a world without randomness."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experience.collector import Policy, RolloutSettings, collect
from experience.history_store import HistoryStore
from experience.tape import Tape
from offline_world.world import AbstractWorld, Imagined, WorldState
from tests.experience.reference_collect import reference_episode

HORIZON, ROLLOUTS = 90, 24
FIRST_ACTION = 0.25
#: of state, previous action and reward in the toy agent's memory
WEIGHTS = (0.3, 0.5, -0.2)


class ToyWorld(AbstractWorld):
    """A line: right of 1.2 is terminal, left of −1.2 too uncertain, and it forgets (a chaotic
    world would magnify the rounding in which the reference differs)."""

    horizon: int = eqx.field(static=True)

    def step(self, state, action, key):
        next_state = 0.6 * state.state + action
        reward = 2.0 * next_state[:, 0]
        timestep = state.timestep + 1
        terminated = state.terminated | (next_state[:, 0] > 1.2)
        uncertainty = -next_state[:, 0]
        truncated = state.truncated | (timestep >= self.horizon) | (uncertainty > 1.2)
        imagined = Imagined(
            next_state=next_state,
            reward=reward - 5.0,
            raw_reward=reward,
            uncertainty=uncertainty,
            terminated=terminated,
            truncated=truncated,
        )
        return WorldState(
            state=next_state, timestep=timestep, terminated=terminated, truncated=truncated
        ), imagined


def toy_world(state, action):
    next_state = (0.6 * state + action).astype(np.float32)
    reward = 2.0 * next_state[0]
    return next_state, reward, reward - 5.0, bool(next_state[0] > 1.2), bool(next_state[0] < -1.2)


def policy_of(memory, observation):
    """An action that depends on all that was observed: state, previous action, reward, order."""
    return 0.8 * jnp.sin(memory + observation[:1])


def remember(memory, observation, start):
    memory = jnp.where(start, 0.0, memory)
    weights = jnp.array(WEIGHTS)
    return 0.7 * memory + jnp.dot(weights, observation)[None]


def toy_policy():
    def absorb(observations, start, memory):
        def one(observations, start, memory):
            return jax.lax.scan(
                lambda m, row: (remember(m, *row), None), memory, (observations, start)
            )[0]

        return jax.vmap(one)(observations, start, memory)

    def act(observation, start, memory, key):
        memory = jax.vmap(remember)(memory, observation, start)
        return jax.vmap(policy_of)(memory, observation), memory

    return Policy(
        # only a start flag may make it forgotten
        initial_memory=lambda batch: jnp.full((batch, 1), 99.0),
        absorb=absorb,
        act=act,
        first_action=jnp.array([FIRST_ACTION]),
    )


class PlainAgent:
    first_action = np.array([FIRST_ACTION], np.float32)

    def __call__(self, observations):
        memory = 0.0
        for state, action, reward in observations:
            memory = 0.7 * memory + WEIGHTS[0] * state + WEIGHTS[1] * action + WEIGHTS[2] * reward
        return np.array([0.8 * np.sin(memory + observations[-1][0])], np.float32)


def make_histories():
    """Episodes of several lengths: terminal, truncated at the horizon, longer than a chunk."""
    rng = np.random.default_rng(0)
    parts, flags = [], []
    for length, terminal in [(3, True), (HORIZON, False), (1, True), (70, False), (64, True)]:
        rows = length + 1
        part = {
            "state": rng.normal(0, 1, (rows, 1)),
            "action": rng.uniform(-1, 1, (rows, 1)),
            "next_reward": rng.normal(0, 1, rows),
        }
        for name in ("action", "next_reward"):
            part[name][-1] = part[name][-2]
        parts.append(part)
        last = np.arange(rows) >= length - 1
        flags.append((np.arange(rows) == 0, last & terminal, last & (not terminal)))
    joined = {
        name: np.concatenate([part[name] for part in parts]).astype(np.float32)
        for name in ("state", "action", "next_reward")
    }
    start, terminated, truncated = (np.concatenate(column) for column in zip(*flags, strict=True))
    flags = {"start": start, "next_terminated": terminated, "next_truncated": truncated}
    return Tape(
        next_penalty=jnp.zeros(len(start)),
        real=jnp.ones(len(start), bool),
        **jax.tree.map(jnp.asarray, joined | flags),
    )


@pytest.fixture(scope="module")
def histories():
    return HistoryStore.from_tape(make_histories())


def test_histories_know_their_rows(histories):
    assert histories.first_rows.tolist() == [0, 4, 95, 97, 168]
    assert histories.timestep[:6].tolist() == [0, 1, 2, 3, 0, 1]
    assert histories.timestep[94] == HORIZON


@eqx.filter_jit
def run(histories, key, limit, from_s0):
    return collect(
        toy_policy(),
        ToyWorld(HORIZON),
        histories,
        key,
        RolloutSettings(ROLLOUTS, longest=limit, from_s0=from_s0),
    )


@pytest.mark.parametrize("limit,from_s0", [(0, False), (5, False), (0, True)])
def test_stores_what_the_reference_stores(histories, limit, from_s0):
    lengths_seen, prefixes, ends = set(), set(), set()
    for seed in range(2):
        key = jax.random.key(seed)
        tape, lengths, stats = run(histories, key, limit, from_s0)
        observation = np.asarray(tape.observation(jnp.array([FIRST_ACTION])))
        learned_reward = np.asarray(tape.learned_reward)
        # in NumPy, which does not compile a slice of each length
        tape, lengths = jax.tree.map(np.asarray, (tape, lengths))
        draw_key, _ = jax.random.split(key)
        rows = histories.draw(draw_key, ROLLOUTS, from_s0=from_s0)
        assert tape.start.shape[0] == ROLLOUTS * (HORIZON + 1)
        end, rollout_lengths, returns, uncertainties = 0, [], [], []
        for b, row in enumerate(np.asarray(rows)):
            episode, rollout_length = reference_episode(
                make_histories(),
                int(row),
                PlainAgent(),
                toy_world,
                horizon=HORIZON,
                limit=limit or HORIZON,
            )
            assert lengths[b] == len(episode["state"])
            rows_of_b = slice(end, end + int(lengths[b]))
            stored = tape.rows(rows_of_b)
            end += int(lengths[b])
            np.testing.assert_allclose(stored.state, episode["state"], rtol=1e-3, atol=1e-3)
            np.testing.assert_allclose(stored.action, episode["action"], rtol=1e-3, atol=2e-3)
            np.testing.assert_allclose(
                learned_reward[rows_of_b], episode["learned_reward"], rtol=1e-3, atol=2e-3
            )
            # learning sees what acting saw: rewards without their penalty of 5
            np.testing.assert_allclose(
                observation[rows_of_b], episode["observation"], rtol=1e-3, atol=2e-3
            )
            for ours, theirs in [
                (stored.start, "start"),
                (stored.next_terminated, "terminated"),
                (stored.next_truncated, "truncated"),
                (stored.real, "real"),
            ]:
                np.testing.assert_array_equal(ours, episode[theirs])
            rollout_lengths.append(rollout_length)
            ends.add((episode["terminated"][-1], episode["truncated"][-1]))
            returns.append(sum(episode["learned_reward"][:-1]))
            # the world's own: how far left it arrives
            arrived = episode["state"][len(episode["state"]) - rollout_length :]
            uncertainties += [-float(state[0]) for state in arrived]
            prefixes.add(int(histories.timestep[row]))
        check_statistics(stats, np.asarray(lengths) - 1, rollout_lengths, returns)
        for name, of in (("mean", np.mean), ("max", np.max)):
            found = getattr(stats, f"uncertainty_{name}")
            np.testing.assert_allclose(found, of(uncertainties), atol=1e-3, err_msg=name)
        lengths_seen |= set(rollout_lengths)
    assert {(True, False), (False, True)} <= ends
    if from_s0:
        assert prefixes == {0}
    else:
        # prefixes longer than a chunk of the warm-up, and shorter ones in the same batch
        assert max(prefixes) > 64 > min(prefixes)
    if limit:
        assert max(lengths_seen) == limit
    if not from_s0 and not limit:
        assert 0 in lengths_seen, "no finished history was drawn"


def check_statistics(stats, transitions, rollout_lengths, returns):
    expected = {
        "return_mean": np.mean(returns),
        "return_std": np.std(returns),
        "length_mean": np.mean(transitions),
        "length_std": np.std(transitions),
        "horizon_mean": np.mean(rollout_lengths),
        "horizon_q25": np.quantile(rollout_lengths, 0.25),
        "horizon_q50": np.quantile(rollout_lengths, 0.5),
        "horizon_q75": np.quantile(rollout_lengths, 0.75),
        "horizon_q100": np.max(rollout_lengths),
        "data_size": np.sum(transitions),
    }
    for name, value in expected.items():
        np.testing.assert_allclose(getattr(stats, name), value, rtol=1e-3, err_msg=name)


def test_a_final_row_gives_a_rollout_of_no_steps(histories):
    """Final rows are drawn as often as others; the stored episode is then the history itself."""
    finals = {3, 94, 96, 167, 232}
    drawn = histories.draw(jax.random.key(0), 20_000, from_s0=False)
    counts = np.bincount(np.asarray(drawn), minlength=233)
    expected = 20_000 / 233
    assert counts.min() > expected - 5 * expected**0.5
    assert counts.max() < expected + 5 * expected**0.5
    assert finals < set(np.flatnonzero(counts))


def test_a_world_that_never_ends_stops_at_the_horizon(histories):
    class Still(AbstractWorld):
        horizon: int = eqx.field(static=True)

        def step(self, state, action, key):
            after = WorldState(
                state=state.state,
                timestep=state.timestep + 1,
                terminated=state.terminated,
                truncated=state.truncated | (state.timestep + 1 >= self.horizon),
            )
            zero = jnp.zeros(state.state.shape[0])
            return after, Imagined(
                next_state=state.state,
                reward=zero,
                raw_reward=zero,
                uncertainty=zero,
                terminated=after.terminated,
                truncated=after.truncated,
            )

    @eqx.filter_jit
    def go(key):
        return collect(
            toy_policy(),
            Still(HORIZON),
            histories,
            key,
            RolloutSettings(4, from_s0=True),
        )

    tape, lengths, stats = go(jax.random.key(0))
    assert lengths.tolist() == [HORIZON + 1] * 4
    assert stats.data_size == 4 * HORIZON and stats.horizon_q100 == HORIZON
    assert np.flatnonzero(tape.next_truncated)[:2].tolist() == [HORIZON - 1, HORIZON]
    assert not tape.real.any()


def test_a_collection_moves_nothing_between_host_and_device(histories):
    keys = jax.random.split(jax.random.key(7), 2)
    first, second = keys[0], keys[1]
    run(histories, first, 0, False)
    with jax.transfer_guard("disallow"):
        run(histories, second, 0, False)
