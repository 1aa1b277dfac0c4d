"""What `test_devices.py` runs in a process with two devices: one ensemble on one and on both."""

import re
from dataclasses import replace
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec

from catalogue.uncertainty import epi_mean
from experience.collector import RolloutSettings
from experience.data.pendulum import pendulum_dataset
from experience.histories import build_histories
from experience.history_store import HistoryStore
from experience.replay import TapeReplay
from experience.tasks import get_task
from harness.configuration.composition import load_config
from harness.errors import UserError
from harness.saving import checkpoint
from offline_world.criterion import relative_mse
from offline_world.devices import MEMBER, by_members, everywhere, require_devices
from offline_world.fit import FitSettings, FitState, compiled_epoch
from offline_world.modules import Ensemble
from offline_world.scaler import Scaler, Statistics
from offline_world.split import Data
from offline_world.terminations import termination_fn
from offline_world.world import World
from online_rl.builders import markov_agent
from programs.collecting import make_collect
from programs.imagining import make_imagine

MEMBERS, HIDDEN = 4, 16
ONE = FitSettings(
    criterion=relative_mse(0.01),
    lr=1e-3,
    weight_decay=1e-4,
    batch_size=32,
    patience=5,
    epochs=9,
)
TWO = replace(ONE, devices=2)


@pytest.fixture(autouse=True)
def standard_promotion():
    """optax counts its steps in integers."""
    with jax.numpy_dtype_promotion("standard"):
        yield


def ensemble() -> Ensemble:
    return Ensemble(MEMBERS, 4, 4, HIDDEN, depth=2, residual=3, key=jax.random.key(0))


def assert_close(one, other) -> None:
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-5, atol=1e-5)


def assert_spread(tree) -> None:
    """Each device holds half of the members' axis of every array."""
    for leaf in jax.tree.leaves(tree):
        assert leaf.sharding.spec == (PartitionSpec(MEMBER) if leaf.ndim else PartitionSpec())
        held = {shard.data.shape for shard in leaf.addressable_shards}
        assert held == {(MEMBERS // 2, *leaf.shape[1:]) if leaf.ndim else ()}


def assert_never_gathered(text: str, weights: tuple[int, ...]) -> None:
    """A compiled program has only shares of arrays of this shape."""
    whole, share = (f"f32[{','.join(map(str, s))}]" for s in (weights, (2, *weights[1:])))
    assert re.search(r"all-reduce(-start)?\(", text), "the devices exchange something"
    assert share in text and whole not in text


def test_an_epoch_of_training_and_checkpoints_between_numbers_of_devices(tmp_path):
    rows = jnp.asarray(np.random.default_rng(0).normal(size=(230, 8)), jnp.float32)
    data, key = Data(rows[:200], rows[200:]), jax.random.key(1)
    states, epochs = {}, {}
    for settings in (ONE, TWO):
        epochs[settings] = partial(compiled_epoch(settings, data), key)
        state, report = epochs[settings](FitState.begin(settings, ensemble()))
        checkpoint.save(tmp_path / f"{settings.devices}", 1, state)
        states[settings] = state, report
    (one, told), (two, told_too) = states.values()
    assert_spread(two)
    assert_close(one, two)
    assert_close(told, told_too)
    # each goes on from the other's checkpoint, and compiles nothing for it
    for settings, other in ((ONE, TWO), (TWO, ONE)):
        like = FitState.begin(settings, ensemble())
        found = checkpoint.restore(tmp_path / f"{other.devices}", like)
        states[settings] = epochs[settings](found[1])
    assert_spread(states[TWO][0])
    assert_close(*(state for state, _ in states.values()))


def test_a_card_s_form_of_the_optimiser_is_spread_too(monkeypatch):
    monkeypatch.setattr("offline_world.fit.on_cpu", lambda: False)
    assert_spread(FitState.begin(TWO, ensemble()))


def test_a_collection():
    config = load_config("pendulum/base_markov", ["debug=true"])
    task = get_task(config.domain, config.dataset_name, config.env)
    dataset = pendulum_dataset()
    histories = HistoryStore.from_tape(
        build_histories(
            dataset, task.horizon, stop_at_first_terminal=False, ends_by_timeout_only=False
        )
    )
    world = World(
        ensemble=ensemble(),
        scaler=Scaler.fit(dataset.observations, dataset.actions, dataset.rewards, Statistics.EXACT),
        threshold=jnp.asarray(jnp.inf),
        penalty_coef=jnp.asarray(1.0),
        horizon=task.horizon,
        measure=epi_mean,
        termination=termination_fn(task.domain, task.dataset_name, task.termination),
    )
    agent = markov_agent(config, 3, 1)
    learner = eqx.filter_jit(agent.init)(jax.random.key(3))
    # as a learner that is trained: it stays on the first device
    learner = jax.device_put(learner, jax.local_devices()[0])
    rollouts = RolloutSettings(2 * MEMBERS, longest=20)
    found = {}
    for devices in (1, 2):
        spread = eqx.tree_at(lambda w: w.ensemble, world, by_members(world.ensemble, devices))
        replay = eqx.filter_jit(lambda: TapeReplay.empty(4000, 3, 1, episodes_at_once=8))()
        replay = jax.device_put(replay, jax.local_devices()[0])
        collect = make_collect(agent, histories, rollouts, devices=devices)(spread, 0)
        found[devices] = collect(learner, replay, 0)
    assert_close(found[1], found[2])
    assert found[2][1] > 20 and found[2][0].write.devices() == {jax.local_devices()[0]}

    assert_spread(spread.ensemble)
    imagine = eqx.filter_jit(make_imagine(agent, rollouts))
    everything = everywhere((learner, histories, jax.random.key(0)), 2)
    program = imagine.lower(everything[0], spread, *everything[1:]).compile()
    assert_never_gathered(program.compiled.as_text(), (MEMBERS, HIDDEN, HIDDEN))


def test_an_uneven_share_is_refused():
    with pytest.raises(UserError, match="total_size=5 is no multiple of ensemble.devices=2: every"):
        require_devices(2, 5, "ensemble.total_size")
    with pytest.raises(UserError, match="ensemble.devices=3 is more than this process sees, 2"):
        require_devices(3, 6, "ensemble.total_size")
