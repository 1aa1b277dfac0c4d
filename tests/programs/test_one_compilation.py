"""The real programs' hot loops: compiled in the first round, and never again."""

import re
from contextlib import closing

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from catalogue.uncertainty import epi_mean
from experience.collector import RolloutSettings
from experience.data.pendulum import pendulum_dataset
from experience.histories import build_histories
from experience.history_store import HistoryStore
from experience.real.local_envs import LocalVectorEnv
from experience.replay import TapeReplay
from experience.tasks import get_task
from harness.configuration.composition import load_config
from harness.log import compiling
from harness.log.logger import FanOut
from harness.process.interrupts import Pending
from offline_world.modules import Ensemble
from offline_world.scaler import Scaler, Statistics
from offline_world.terminations import termination_fn
from offline_world.world import World
from online_rl import loop
from online_rl.beside_training import evaluations
from online_rl.builders import markov_agent, recurrent_agent
from online_rl.schedule import Schedule
from programs.collecting import make_collect
from programs.inspection import make_inspect
from programs.scoring import figures, make_play
from programs.training import batches, make_updates, start
from programs.world_model import BuiltWorld
from tests.logged_names import (
    OURS_MARKOV,
    OURS_RECURRENT,
    PUBLISHED_CONTINUOUS,
    PUBLISHED_RECURRENT,
)

LOWERED = "/jax/core/compile/jaxpr_to_mlir_module_duration"
RECURRENT = (
    *("base", recurrent_agent, TapeReplay.sample_tape),
    PUBLISHED_RECURRENT | OURS_RECURRENT,
)


class Silent(FanOut):
    """Keeps the steps of the rows and the names in them."""

    def __init__(self):
        super().__init__([])
        self.steps, self.names = [], {"step"}

    def log(self, step, row):
        self.steps.append(step)
        self.names |= row.keys()

    def progress(self, *_, **__):
        pass


@pytest.fixture(scope="module")
def dataset():
    return pendulum_dataset()


@pytest.fixture
def lowered():
    """Every program that is lowered, whatever a cache has of it."""
    programs = []

    def listen(event, duration, **details):
        if event == LOWERED:
            programs.append(details)

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield programs
    jax.monitoring.unregister_event_duration_listener(listen)


@pytest.mark.parametrize(
    ("name", "make_agent", "sample", "names", "beside_training"),
    [
        (*RECURRENT, False),
        (*RECURRENT, True),
        (
            "base_markov",
            markov_agent,
            TapeReplay.sample_transitions,
            PUBLISHED_CONTINUOUS | OURS_MARKOV,
            False,
        ),
    ],
)
def test_later_rounds_compile_nothing(
    dataset, lowered, name, make_agent, sample, names, beside_training, monkeypatch, capsys
):
    """Rollouts of other lengths, other numbers of updates, a fuller replay, more evaluations; and
    all that is logged of them has its place in the lists. What compiles is told."""
    monkeypatch.setattr(compiling, "PATIENCE", 0.0)
    config = load_config(f"pendulum/{name}", ["debug=true", "collect.max_rollout_len=-1"])
    task = get_task(config.domain, config.dataset_name, config.env)
    histories = HistoryStore.from_tape(
        build_histories(
            dataset, task.horizon, stop_at_first_terminal=False, ends_by_timeout_only=False
        )
    )
    world = World(
        ensemble=Ensemble(2, 4, 4, 8, residual=3, key=jax.random.key(0)),
        scaler=Scaler.fit(dataset.observations, dataset.actions, dataset.rewards, Statistics.EXACT),
        threshold=jnp.asarray(0.35),
        penalty_coef=jnp.asarray(1.0),
        horizon=task.horizon,
        measure=epi_mean,
        termination=termination_fn(task.domain, task.dataset_name, task.termination),
    )
    agent = make_agent(config, 3, 1)
    # what the tests demand of our own numerics, optax does not promise
    with (
        jax.numpy_dtype_promotion("standard"),
        closing(LocalVectorEnv("pendulum", config.dataset_name, 2)) as envs,
        evaluations(agent, beside_training=beside_training) as begin,
    ):
        (state,), on_device = start([config], agent, state_dim=3, action_dim=1, horizon=200)
        draw = batches(config, sample)
        update_many = make_updates(agent, draw, is_on_device=on_device)(config.seed)
        play = make_play(agent, task, envs)
        owed = []

        def evaluate(learner, step):
            # each evaluation ends a stretch: how many programs were lowered in it
            owed.append(len(lowered))
            return figures(play(learner, step))

        parts = loop.Parts(
            collect=make_collect(agent, histories, RolloutSettings(config.collect.parallel_size))(
                world, config.seed
            ),
            update_many=update_many,
            evaluate=evaluate,
            inspect=make_inspect(agent, draw)(
                update_many, config.seed, BuiltWorld(world, np.ones(3)).figures()
            ),
            save=lambda state, now: None,
            rescue=lambda state: None,
            begin=begin,
        )
        logger = Silent()
        training = loop.Training(
            state=state, schedule=Schedule(100, 0.05, 5), parts=parts, logger=logger
        )
        state = loop.train(training, Pending())
        assert state.updates == 100 and state.rounds > 2 and len(owed) > 3
        assert len(set(np.diff(sorted(set(logger.steps))))) > 1, "all rounds were alike"
        # the first evaluation and the first round compile; after them comes the second evaluation,
        # the first that has data to look at the networks with
        assert owed[2] == owed[-1] == len(lowered), lowered[owed[2] :]
        assert logger.names == names
        told = set(re.findall(r"^compiling (.+): once", capsys.readouterr().out, re.MULTILINE))
        assert told >= {"the update", "the imagined rollouts", "the actor"}

        with jax.transfer_guard("disallow"):
            learner, _ = update_many(state.replay, state.learner, 3)
    assert int(learner.updates) == 103
    assert eqx.tree_equal(learner.updates, jnp.asarray(103, jnp.int32))
