"""Several bandit agents at once: the one loop, with parts that are vmapped over the agents.

Every agent has its seed, its penalty, its reward ensemble and a run directory of its own, which
holds what `offline_bandit.py` would have left there. They advance in step because every episode of
the bandit has the same length, so that not only their updates, as in `online_rl.side_by_side`, but
their rollouts and tests too are one program.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from experience.collector import RolloutSettings
from experience.real.bandit_envs import no_history
from experience.replay import TapeReplay
from figures.bandit_progress import bandit_plot
from harness.configuration.schema import BanditConfig, BanditStudyConfig
from harness.log import metrics
from harness.log.compiling import announced
from harness.log.logger import FanOut, Logger
from harness.process.interrupts import deferred
from harness.process.timer import Clock
from harness.randomness import Purpose, key_at, key_for
from harness.run.directory import RunDirectory
from harness.run.inputs import Input
from harness.run.kept_agents import keep_agents
from harness.run.opening import open_run
from layers.trees import stacked, taken_apart
from offline_world.bandit_task import ARMS, PULLS
from offline_world.bandit_world import BanditWorld
from online_rl import loop, updates
from online_rl.agent import AbstractLearner
from online_rl.beside_training import Evaluate
from online_rl.builders import bandit_agent
from online_rl.dqn import DQNAgent, DQNLearner
from programs.agent_files import rescue_agent
from programs.bandit import build_world, ensemble_path, episode_counts, finish_run, test_agent
from programs.bandit_inputs import pulls_input
from programs.collecting import rollout_figures
from programs.imagining import make_imagine
from programs.inspection import norms, one_update, schedules
from programs.training import (
    batches,
    make_save,
    minutes_so_far,
    resumed,
    schedule_of,
    start,
)


class Learners(AbstractLearner):
    """Learners of all agents, stacked; all have made the same number of updates."""

    stacked: DQNLearner
    updates: Int[Array, ""]

    @classmethod
    def together(cls, learners: DQNLearner) -> "Learners":
        return cls(stacked=learners, updates=learners.updates[0])


def train_study(config: BanditStudyConfig, run: RunDirectory) -> None:
    """Train an agent for every seed and penalty of `config.study`."""
    configs = member_configs(config, run)
    agent = bandit_agent(config, ARMS)
    with ExitStack() as open_:
        runs = [open_.enter_context(open_run("offline_bandit", member)) for member in configs]
        worlds = stacked([build_world(member) for member in configs])
        run.depends_on(pulls_input(config))
        for member in configs:
            run.depends_on(Input.file(ensemble_path(member)))
        states, _ = start(configs, agent, state_dim=1, action_dim=ARMS, horizon=PULLS)
        state = stack_states(states)
        update_many = updates_of_all(configs, agent)
        parts = loop.Parts(
            collect=collect_of_all(configs, agent, worlds),
            update_many=update_many,
            evaluate=evaluate_of_all(configs, agent, worlds),
            inspect=inspect_of_all(agent, update_many),
            save=make_save(config, run, row_axis=1),
            rescue=lambda state: _rescue(configs, agent, state),
        )
        state, resume_rows = resumed(run, state)
        loggers = [
            open_.enter_context(Logger(one, member, resume_rows=resume_rows))
            for one, member in zip(runs, configs, strict=True)
        ]
        clock = Clock(minutes_so_far(runs[0].metrics, resume_rows))
        training = loop.Training(
            state=state,
            schedule=schedule_of(config),
            parts=parts,
            logger=FanOut(loggers),
            clock=clock,
        )
        with deferred() as pending:
            state = loop.train(training, pending)
        learners = taken_apart(state.learner.stacked, len(configs))
        for member, one, learner in zip(configs, runs, learners, strict=True):
            plot = bandit_plot(one.metrics, one.plots / "learning.png", one.path.name)
            finish_run(member, one, agent, learner, plot)
    records = [one.finished for one in runs]
    reached = [record.objective for record in records if record and record.objective is not None]
    run.finish([one.agent for one in runs], objective=float(np.mean(reached)))
    keep_agents(config, run)


def member_configs(config: BanditStudyConfig, run: RunDirectory) -> list[BanditConfig]:
    """The configuration of every agent; their directories are below the study's."""
    shared = {field.name: getattr(config, field.name) for field in fields(BanditConfig)}
    # dozens of runs that train as one would each wait for the server; their directories have all
    shared["wandb"] = replace(config.wandb, mode="disabled")
    # what they leave is the study's, which sets it aside and keeps a copy of its agents
    shared |= {"restart": False, "save_agent": False}

    def member(seed, penalty):
        collect = replace(config.collect, penalty_coef=penalty)
        own = {"seed": seed, "collect": collect, "run_dir": str(run.path / f"{penalty:g}_{seed}")}
        return BanditConfig(**shared | own)

    return [member(s, p) for p in config.study.penalties for s in config.study.seeds]


def _rescue(configs: Sequence[BanditConfig], agent: DQNAgent, state: loop.TrainState) -> None:
    for config, learner in zip(
        configs, taken_apart(state.learner.stacked, len(configs)), strict=True
    ):
        rescue_agent(Path(config.run_dir or ""), agent, learner)


def stack_states(states: Sequence[loop.TrainState]) -> loop.TrainState:
    """One state of all agents."""
    learners = Learners.together(stacked([s.learner for s in states]))
    replays = stacked([s.replay for s in states])
    return eqx.tree_at(lambda s: (s.learner, s.replay), states[0], (learners, replays))


def collect_of_all(
    configs: Sequence[BanditConfig], agent: DQNAgent, worlds: BanditWorld
) -> loop.Collect[Learners]:
    """The loop's `collect`; its figures are arrays over the agents, as `worlds` are."""
    histories = no_history()
    imagine = make_imagine(agent, RolloutSettings(configs[0].collect.parallel_size))

    @eqx.filter_jit(donate="all-except-first")
    def together(frozen, replays):
        def one(learner, world, key, replay):
            tape, lengths, statistics = imagine(learner, world, histories, key)
            return replay.add(tape, lengths), statistics

        return eqx.filter_vmap(one)(*frozen, replays)

    together = announced("the imagined rollouts of all agents", together)

    def run(learner, replays, round_):
        keys = _keys(configs, lambda seed: key_at(seed, Purpose.COLLECT, round_))
        replays, statistics = together((learner.stacked, worlds, keys), replays)
        statistics = jax.device_get(statistics)
        figures = rollout_figures(statistics, metrics.BANDIT_ROLLOUTS)
        return replays, int(statistics.data_size[0]), figures

    return run


def updates_of_all(
    configs: Sequence[BanditConfig], agent: DQNAgent
) -> updates.UpdateMany[Learners]:
    """The loop's `update_many`; its figures are arrays over the agents."""
    sample = batches(configs[0], TapeReplay.sample_tape)

    @eqx.filter_jit(donate="all-except-first")
    def together(frozen, learners):
        def one(replay, sample_key, update_key, count, learner):
            return updates.sampled_updates(
                agent.update, sample, replay, sample_key, update_key, count, learner
            )

        per_agent = eqx.if_array(0)
        axes = (per_agent, 0, 0, None, per_agent)
        learner, figures = eqx.filter_vmap(one, in_axes=axes)(*frozen, learners.stacked)
        return Learners.together(learner), figures

    together = announced("the update of all agents", together)
    purposes = Purpose.SAMPLE, Purpose.UPDATE
    keys = [_keys(configs, lambda seed, p=p: key_for(seed, p)) for p in purposes]

    def update_many(replays, learners, count):
        learners, figures = together((replays, *keys, jnp.asarray(count)), learners)
        return learners, {n: np.asarray(v) for n, v in jax.device_get(figures).items()}

    return update_many


def evaluate_of_all(
    configs: Sequence[BanditConfig], agent: DQNAgent, worlds: BanditWorld
) -> Evaluate[Learners]:
    """The loop's `evaluate`; its figures are arrays over the agents."""
    counts, histories = episode_counts(configs[0]), no_history()

    @eqx.filter_jit
    def together(learner, worlds, keys):
        def one(learner, world, key):
            return test_agent(agent, learner, world, histories, key, **counts)

        return eqx.filter_vmap(one)(learner, worlds, keys)

    together = announced("the tests of all agents", together)

    def run(learner, step):
        keys = _keys(configs, lambda seed: key_at(seed, Purpose.EVALUATE, step))
        figures = jax.device_get(together(learner.stacked, worlds, keys))
        return {name: np.asarray(value) for name, value in figures.items()}

    return run


def inspect_of_all(
    agent: DQNAgent, update_many: updates.UpdateMany[Learners]
) -> Callable[[loop.TrainState[Learners]], dict[str, Any]]:
    """The loop's `inspect`; norms are arrays over the agents, schedules are the same for all."""

    def run(state: loop.TrainState[Learners]) -> dict[str, Any]:
        # all are as far as the first
        first = jax.tree.map(lambda leaf: leaf[0], state.learner.stacked)
        found: dict[str, Any] = dict(schedules(agent, first))
        if state.rounds:
            before, after = (agent.trained(le.stacked) for le in one_update(state, update_many))
            found |= norms(before, after, agents=state.learner.stacked.updates.shape)
        return found

    return run


def _keys(configs: Sequence[BanditConfig], key_of: Callable[[int], jax.Array]) -> jax.Array:
    return jnp.stack([key_of(config.seed) for config in configs])
