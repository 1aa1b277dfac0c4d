"""Training a continuous agent in a world model: everything but the choice of agent."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from experience.collector import RolloutSettings
from experience.data.dataset import Dataset, load_dataset
from experience.data.origin import Origin
from experience.histories import histories_of
from experience.history_store import HistoryStore
from experience.real.vector import AbstractVectorEnv
from experience.real.vector_env import make_vector_env
from experience.replay_placement import choose_place
from experience.tasks import Task, get_task
from figures.progress import learning_plot
from harness.configuration.schema import ContConfig, ContinuousConfig, MarkovConfig
from harness.log import metrics
from harness.log.metrics_file import read_rows
from harness.run.directory import RunDirectory
from harness.run.inputs import Input
from online_rl import loop
from online_rl.agent import AbstractAgent, AbstractLearner
from online_rl.beside_training import evaluations
from online_rl.updates import vmapped
from programs.agent_files import rescue_agent
from programs.collecting import make_collect
from programs.environment_check import try_environment
from programs.inputs import inputs_of
from programs.inspection import make_inspect
from programs.scoring import make_play, make_score
from programs.seeds import train_seeds
from programs.training import (
    Member,
    SampleReplay,
    batches,
    finish,
    make_save,
    make_updates,
    replay_size,
    require_whole_episodes,
    start,
    train,
)
from programs.world_data import ensemble_path
from programs.world_model import BuiltWorld, build_worlds

Config = TypeVar("Config", ContConfig, MarkovConfig)


def train_agents(
    configs: Sequence[Config],
    runs: Sequence[RunDirectory],
    make_agent: Callable[[Config, int, int], AbstractAgent],
    sample: SampleReplay,
) -> None:
    """The whole of a run, or of several that differ in their seeds: dataset, worlds, agents, loop,
    and what is left at the end.

    `make_agent` is given the sizes of a state and an action; `sample` draws the agent's batches.
    """
    config = configs[0]
    task = get_task(config.domain, config.dataset_name, config.env)
    require_whole_episodes(config, task.horizon)
    dataset = load_dataset(task)
    try_environment(config, task, dataset)
    with ExitStack() as open_:
        envs = open_.enter_context(closing(make_test_envs(config, dataset)))
        size = replay_size(config, envs.state_dim, envs.action_dim, task.horizon, len(configs))
        # refused before the uncertainty of every row is computed
        choose_place(config.train.replay, size)
        worlds = build_worlds(configs, task, dataset)
        for one, run in zip(configs, runs, strict=True):
            run.depends_on(Input.file(ensemble_path(one)), *inputs_of(task, dataset))
        agent = make_agent(config, envs.state_dim, envs.action_dim)
        states, is_on_device = start(
            configs,
            agent,
            state_dim=envs.state_dim,
            action_dim=envs.action_dim,
            horizon=task.horizon,
            origin=dataset.origin,
        )
        draw = batches(config, sample)
        # each is compiled once, for all seeds
        updates_of = make_updates(agent, draw, is_on_device=is_on_device)
        collect_in = make_collect(
            agent,
            load_histories(task, dataset),
            RolloutSettings(
                config.collect.parallel_size,
                longest=config.collect.max_rollout_len,
                from_s0=config.collect.start_from_s0,
            ),
            devices=config.ensemble.devices,
        )
        play = make_play(agent, task, envs)
        inspect_of = make_inspect(agent, draw)
        begin = open_.enter_context(evaluations(agent, beside_training=config.eval.beside_training))

        def member(config: Config, run: RunDirectory, state: loop.TrainState, built: BuiltWorld):
            update_many = updates_of(config.seed)
            parts = loop.Parts(
                collect=collect_in(built.world, config.seed),
                update_many=update_many,
                evaluate=make_score(play, task, config.seed, run.plots),
                inspect=inspect_of(update_many, config.seed, built.figures()),
                save=make_save(config, run),
                rescue=lambda state: rescue_agent(run.path, agent, state.learner, dataset.origin),
                begin=begin,
            )
            return Member(config=config, run=run, state=state, parts=parts)

        members = [member(*each) for each in zip(configs, runs, states, worlds, strict=True)]
        end = partial(_end, agent=agent, origin=dataset.origin)
        if len(members) == 1:
            end(members[0], *train(members[0], learning_plot))
        else:
            train_seeds(members, vmapped(agent.update, draw), learning_plot, end)


def _end(
    member: Member,
    learner: AbstractLearner,
    plot: Path,
    *,
    agent: AbstractAgent,
    origin: Origin | None,
) -> None:
    """What is left of a run that has ended, and its last scores."""
    last = [row for row in read_rows(member.run.metrics) if metrics.SCORE in row][-1]
    summary = (
        f"score × 100: {metrics.PERCENT * last[metrics.SCORE]:.1f} (reference protocol),"
        f" {metrics.PERCENT * last[metrics.SCORE_FIRST]:.1f} (one episode per environment)"
    )
    scores = {"score": last[metrics.SCORE], "score_first": last[metrics.SCORE_FIRST]}
    objective = scores["score"]
    finish(member.config, member.run, agent, learner, plot, summary, objective, origin, **scores)


def load_histories(task: Task, dataset: Dataset) -> HistoryStore:
    """The dataset's histories on the device; says how many of its rows can be learned from."""
    tape = histories_of(dataset, task)
    first = np.flatnonzero(tape.start)
    lengths = np.diff(first, append=len(tape.start)) - 1
    print(
        f"histories: {len(lengths):,} of {lengths.min()} to {lengths.max()} transitions;"
        f" {lengths.sum():,} of the dataset's {dataset.rows:,} rows"
        f" ({lengths.sum() / dataset.rows:.1%}) can be learned from",
        flush=True,
    )
    return HistoryStore.from_tape(tape)


def make_test_envs(config: ContinuousConfig, dataset: Dataset) -> AbstractVectorEnv:
    """The real environments to evaluate in, whose states are measured as those of `dataset`."""
    return make_vector_env(
        config.domain,
        config.dataset_name,
        config.eval.real_episodes,
        config.env,
        config.engine,
        origin=dataset.origin,
    )
