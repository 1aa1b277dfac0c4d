"""Changing counts compiles nothing, hot loops move nothing, and donated buffers are reused."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experience.replay import TapeReplay
from online_rl import updates
from online_rl.agent import AbstractLearner
from tests.experience.tapes import counting_tape


class Counting(AbstractLearner):
    """A learner that adds up what it is fed, so that any difference in the draws shows."""

    total: jax.Array
    updates: jax.Array


class SummingAgent:
    def __init__(self):
        self.traces = []

    def update(self, learner, batch, key):
        self.traces.append(1)
        noise = jax.random.normal(key)
        fed = batch.state.mean() + noise
        return Counting(learner.total * 0.5 + fed, learner.updates + 1), {"fed": fed}


def fresh():
    return Counting(jnp.zeros(()), jnp.zeros((), jnp.int32))


def sample(replay, key):
    return replay.sample_tape(key, 16)


@pytest.fixture(scope="module")
def replay():
    lengths = jnp.array([4, 2, 6, 9, 3])
    return eqx.filter_jit(TapeReplay.add)(
        TapeReplay.empty(40, 2, 1, episodes_at_once=5), counting_tape(lengths), lengths
    )


@pytest.mark.parametrize("make", [updates.on_device, updates.from_host])
def test_no_count_and_no_amount_of_data_compiles_anything_again(make, replay):
    agent = SummingAgent()
    run = make(agent.update, sample)(0)
    learner, _ = run(replay, fresh(), 3)
    traced = len(agent.traces)
    fuller = eqx.filter_jit(TapeReplay.add)(replay, counting_tape([7, 9]), jnp.array([7, 9]))
    for count in (1, 7, 70):
        learner, _ = run(fuller, learner, count)
    assert len(agent.traces) == traced > 0
    assert learner.updates == 3 + 1 + 7 + 70


def test_a_replay_in_host_memory_gives_the_numbers_of_one_on_the_device(replay):
    results = []
    for make in (updates.on_device, updates.from_host):
        learner, figures = make(SummingAgent().update, sample)(5)(replay, fresh(), 70)
        results.append((learner.total, figures["fed"]))
    np.testing.assert_allclose(results[0], results[1], rtol=1e-5)


def test_many_updates_are_the_same_as_one_by_one(replay):
    run = updates.on_device(SummingAgent().update, sample)(5)
    together, _ = run(replay, fresh(), 6)
    one_by_one = fresh()
    for _ in range(6):
        one_by_one, _ = run(replay, one_by_one, 1)
    np.testing.assert_allclose(together.total, one_by_one.total, rtol=1e-6)


def test_the_learner_and_the_replay_are_donated(replay):
    learner = fresh()
    updates.on_device(SummingAgent().update, sample)(0)(replay, learner, 2)
    assert learner.total.is_deleted() and not replay.state.is_deleted()

    given = jax.tree.map(jnp.copy, replay)
    address = given.state.unsafe_buffer_pointer()
    append = eqx.filter_jit(lambda episodes, r: r.add(*episodes), donate="all-except-first")
    grown = append((counting_tape([5]), jnp.array([5])), given)
    assert given.state.is_deleted()
    assert grown.state.unsafe_buffer_pointer() == address, "the rows were copied"


def test_nothing_moves_between_host_and_device_inside_the_updates(replay):
    """All that a call needs is on the device; what it returns is fetched afterwards."""
    run = updates.on_device(SummingAgent().update, sample)(0)
    learner, _ = run(replay, fresh(), 2)
    with jax.transfer_guard("disallow"):
        learner, figures = run(replay, learner, 5)
    assert not isinstance(figures["fed"], jax.Array) and learner.updates == 7


def test_the_guard_would_notice():
    with jax.transfer_guard("disallow"), pytest.raises(Exception, match="[Dd]isallowed"):
        jax.jit(lambda x: x + 1)(np.ones(3, np.float32))


def test_several_seeds_are_updated_as_each_would_be_alone(replay):
    """With replays of their own, from different numbers of updates on; any count runs the one
    program."""
    fuller = eqx.filter_jit(TapeReplay.add)(replay, counting_tape([7, 9]), jnp.array([7, 9]))
    replays, agent = {4: replay, 2: fuller}, SummingAgent()
    ahead, _ = updates.on_device(agent.update, sample)(2)(fuller, fresh(), 3)
    alone = {}
    for seed, learner in ((4, fresh()), (2, jax.tree.map(jnp.copy, ahead))):
        alone[seed] = updates.on_device(agent.update, sample)(seed)(replays[seed], learner, 70)

    traced = len(agent.traces)
    run, learners, sums = updates.vmapped(agent.update, sample), {4: fresh(), 2: ahead}, {}
    for count in (10, 1, 59):
        learners, figures = run(replays, learners, count)
        sums = {s: sums.get(s, 0.0) + count * f["fed"] for s, f in figures.items()}
    assert len(agent.traces) == traced + 1
    for seed, (learner, figures) in alone.items():
        np.testing.assert_allclose(learners[seed].total, learner.total, rtol=1e-6)
        assert learners[seed].updates == learner.updates
        np.testing.assert_allclose(sums[seed] / 70, figures["fed"], rtol=1e-5)
