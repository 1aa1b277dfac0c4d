"""Training a continuous agent in a world model: everything but the choice of agent."""

from collections.abc import Callable
from contextlib import closing
from typing import TypeVar

import numpy as np

from experience.collector import RolloutSettings
from experience.data.dataset import Dataset, load_dataset
from experience.histories import build_histories
from experience.history_store import HistoryStore
from experience.real.vector import AbstractVectorEnv
from experience.real.vector_env import make_vector_env
from experience.tasks import Task, get_task
from figures.progress import learning_plot
from harness.configuration.schema import ContConfig, ContinuousConfig, MarkovConfig
from harness.log import metrics
from harness.log.metrics_file import read_rows
from harness.run.directory import RunDirectory
from online_rl import loop
from online_rl.agent import AbstractAgent
from programs.agent_files import rescue_agent
from programs.environment_check import try_environment
from programs.inspection import make_inspect
from programs.scoring import make_play, make_score
from programs.training import (
    SampleReplay,
    finish,
    make_collect,
    make_save,
    require_whole_episodes,
    start,
    train,
)
from programs.world_data import ensemble_path
from programs.world_model import build_world

Config = TypeVar("Config", ContConfig, MarkovConfig)


def train_agent(
    config: Config,
    run: RunDirectory,
    make_agent: Callable[[Config, int, int], AbstractAgent],
    sample: SampleReplay,
) -> None:
    """The whole run: dataset, world, agent, loop, and what is left at the end.

    `make_agent` is given the sizes of a state and an action; `sample` draws the agent's batches.
    """
    task = get_task(config.domain, config.dataset_name, config.env)
    require_whole_episodes(config, task.horizon)
    dataset = load_dataset(task)
    try_environment(config, task, dataset)
    with closing(make_test_envs(config, dataset)) as envs:
        built = build_world(config, task, dataset)
        run.depends_on(ensemble_path(config))
        agent = make_agent(config, envs.state_dim, envs.action_dim)
        state, update_many = start(
            config,
            agent,
            sample,
            state_dim=envs.state_dim,
            action_dim=envs.action_dim,
            horizon=task.horizon,
            origin=dataset.origin,
        )
        parts = loop.Parts(
            make_collect(
                agent,
                built.world,
                load_histories(task, dataset),
                RolloutSettings(
                    config.collect.parallel_size,
                    longest=config.collect.max_rollout_len,
                    from_s0=config.collect.start_from_s0,
                ),
                seed=config.seed,
                devices=config.ensemble.devices,
            ),
            update_many,
            make_score(make_play(agent, task, envs), task, config.seed, run.plots),
            make_inspect(
                agent,
                update_many,
                seed=config.seed,
                sample=lambda replay, key: sample(replay, key, config.train.batch_size),
                constants=built.figures(),
            ),
            make_save(config, run),
            lambda state: rescue_agent(run.path.name, agent, state.learner, dataset.origin),
        )
        learner, plot = train(config, run, state, parts, learning_plot)
    last = [row for row in read_rows(run.metrics) if metrics.SCORE in row][-1]
    summary = (
        f"score × 100: {metrics.PERCENT * last[metrics.SCORE]:.1f} (reference protocol),"
        f" {metrics.PERCENT * last[metrics.SCORE_FIRST]:.1f} (one episode per environment)"
    )
    scores = {"score": last[metrics.SCORE], "score_first": last[metrics.SCORE_FIRST]}
    finish(config, run, agent, learner, plot, summary, scores["score"], dataset.origin, **scores)


def load_histories(task: Task, dataset: Dataset) -> HistoryStore:
    """The dataset's histories on the device; says how many of its rows can be learned from."""
    tape = build_histories(
        dataset, task.horizon, task.stop_at_first_terminal, task.ends_by_timeout_only
    )
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
