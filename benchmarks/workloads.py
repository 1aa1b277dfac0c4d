"""The hot programs at the published sizes of a dataset, with shapes in the place of arrays."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from catalogue.uncertainty import UNCERTAINTIES
from experience.collector import RolloutSettings, warm_up
from experience.history_store import HistoryStore
from experience.replay import TapeReplay
from experience.tape import Tape
from experience.tasks import Task
from offline_world.criterion import relative_mse
from offline_world.fit import FitSettings, FitState, fit_epoch
from offline_world.modules import Ensemble
from offline_world.scaler import Scaler
from offline_world.selection import ROWS_AT_ONCE, uncertainties_of
from offline_world.split import Data, continuous_holdout
from offline_world.terminations import termination_fn
from offline_world.world import World
from online_rl.builders import recurrent_agent
from online_rl.updates import sampled_updates, vmapped_updates
from programs.imagining import as_policy, make_imagine

#: Rows of a dataset and of its histories (hopper-medium-v2 has 999,998).
ROWS = 1_000_000
#: Side by side.
SEEDS = 3


@dataclass(frozen=True)
class Workload:
    """`function(frozen, donated)`; both may hold `jax.ShapeDtypeStruct`s."""

    function: Callable[[Any, Any], Any]
    frozen: Any
    donated: Any


def shape(*sizes: int, dtype=jnp.float32) -> Any:
    """Stands for an array of these sizes."""
    return jax.ShapeDtypeStruct(sizes, dtype)


class Workloads:
    """All programs of one configuration and task; each attribute function gives a `Workload`."""

    def __init__(self, config: Any, task: Task, rows: int = ROWS):
        assert task.state_dim is not None and task.action_dim is not None
        self.config, self.task, self.rows = config, task, rows
        self.state_dim, self.action_dim = task.state_dim, task.action_dim
        self.agent = recurrent_agent(config, self.state_dim, self.action_dim)
        self.key = jax.eval_shape(lambda: jax.random.key(0))
        self.learner = eqx.filter_eval_shape(self.agent.init, self.key)

    def ensemble(self, size: int) -> Ensemble:
        settings = self.config.ensemble
        return eqx.filter_eval_shape(
            lambda key: Ensemble(
                size,
                self.state_dim + self.action_dim,
                self.state_dim + 1,
                settings.hidden_size,
                residual=self.state_dim,
                has_ln=settings.has_ln,
                key=key,
            ),
            self.key,
        )

    def sample(self, replay: TapeReplay, key: jax.Array) -> Tape:
        return replay.sample_tape(key, self.config.train.batch_size)

    def tape(self, rows: int) -> Tape:
        flag, number = shape(rows, dtype=jnp.bool_), shape(rows)
        return Tape(
            state=shape(rows, self.state_dim),
            action=shape(rows, self.action_dim),
            next_reward=number,
            next_penalty=number,
            start=flag,
            next_terminated=flag,
            next_truncated=flag,
            real=flag,
        )

    def replay(self, capacity: int) -> TapeReplay:
        return eqx.filter_eval_shape(
            lambda: TapeReplay.empty(
                capacity,
                self.state_dim,
                self.action_dim,
                episodes_at_once=self.config.collect.parallel_size,
                dtype=self.config.train.replay_dtype,
            )
        )

    def histories(self) -> HistoryStore:
        number = shape(self.rows, dtype=jnp.int32)
        episodes = shape(self.rows // self.task.horizon, dtype=jnp.int32)
        return HistoryStore(tape=self.tape(self.rows), timestep=number, first_rows=episodes)

    def world(self) -> World:
        ins, outs = self.state_dim + self.action_dim, self.state_dim + 1
        return World(
            ensemble=self.ensemble(self.config.collect.ensemble_size),
            scaler=Scaler(
                input_mean=shape(ins),
                input_std=shape(ins),
                target_mean=shape(outs),
                target_std=shape(outs),
            ),
            threshold=shape(),
            penalty_coef=shape(),
            horizon=self.task.horizon,
            measure=UNCERTAINTIES[self.config.collect.unc_type],
            termination=termination_fn(
                self.task.domain, self.task.dataset_name, self.task.termination
            ),
        )

    def update(self) -> Workload:
        """Updates from a replay of the published size."""

        def run(frozen, learner):
            replay, sample_key, update_key, count = frozen
            return sampled_updates(
                self.agent.update, self.sample, replay, sample_key, update_key, count, learner
            )

        replay = self.replay(self.config.train.buffer_size)
        return Workload(run, (replay, self.key, self.key, shape(dtype=jnp.int32)), self.learner)

    def update_side_by_side(self) -> Workload:
        """Updates of three seeds, each from a replay of the published size."""

        def run(frozen, learners):
            replays, sample_keys, update_keys, count = frozen
            return vmapped_updates(
                self.agent.update, self.sample, replays, sample_keys, update_keys, count, learners
            )

        keys = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), SEEDS))
        replays = [self.replay(self.config.train.buffer_size)] * SEEDS
        frozen = replays, keys, keys, shape(dtype=jnp.int32)
        return Workload(run, frozen, [self.learner] * SEEDS)

    def collection(self) -> Workload:
        """One round of imagined rollouts."""
        settings = self.config.collect
        rollouts = RolloutSettings(
            settings.parallel_size,
            longest=settings.max_rollout_len,
            from_s0=settings.start_from_s0,
        )
        imagine = make_imagine(self.agent, rollouts)
        frozen = self.learner, self.world(), self.histories(), self.key
        return Workload(lambda frozen, _: imagine(*frozen), frozen, None)

    def add(self) -> Workload:
        """A round's episodes, appended to a replay of the published size."""
        episodes = self.config.collect.parallel_size
        tape = self.tape(episodes * (self.task.horizon + 1))
        replay = self.replay(self.config.train.buffer_size)
        lengths = shape(episodes, dtype=jnp.int32)
        return Workload(lambda tape, replay: replay.add(*tape), (tape, lengths), replay)

    def warm_up(self) -> Workload:
        """The memories of a round's histories."""

        def run(frozen, _):
            learner, histories, row = frozen
            policy = as_policy(self.agent, learner, deterministic=False)
            return warm_up(policy, histories, row)

        row = shape(self.config.collect.parallel_size, dtype=jnp.int32)
        return Workload(run, (self.learner, self.histories(), row), None)

    def act(self) -> Workload:
        """One step of an evaluation in all real environments."""
        count = self.config.eval.real_episodes

        def run(frozen, memory):
            learner, observation, start, key = frozen
            return self.agent.act(learner, observation, start, memory, key, deterministic=True)

        memory = eqx.filter_eval_shape(self.agent.initial_memory, self.learner, count)
        size = self.state_dim + self.action_dim + 1
        start = shape(count, dtype=jnp.bool_)
        return Workload(run, (self.learner, shape(count, size), start, self.key), memory)

    def uncertainty(self) -> Workload:
        """The uncertainty of every row of the dataset."""
        batches = shape(
            -(-self.rows // ROWS_AT_ONCE), ROWS_AT_ONCE, self.state_dim + self.action_dim
        )
        ensemble = self.ensemble(self.config.collect.ensemble_size)
        measure = UNCERTAINTIES[self.config.collect.unc_type]

        def run(frozen, _):
            ensemble, batches = frozen
            return uncertainties_of(ensemble, batches, measure)

        return Workload(run, (ensemble, batches), None)

    def fit_epoch(self) -> Workload:
        """One epoch of the ensemble's training."""
        given = self.config.ensemble
        settings = FitSettings(
            relative_mse(given.improve_thres),
            lr=given.lr,
            weight_decay=given.weight_decay,
            batch_size=given.batch_size,
            patience=given.max_epochs_since_update,
            epochs=given.total_epochs,
        )
        held = continuous_holdout(self.rows)
        width = 2 * self.state_dim + self.action_dim + 1
        data = Data(shape(self.rows - held, width), shape(held, width))
        ensemble = self.ensemble(given.total_size)
        state = eqx.filter_eval_shape(lambda e: FitState.begin(settings, e), ensemble)
        return Workload(
            lambda frozen, state: fit_epoch(settings, state, *frozen), (data, self.key), state
        )
