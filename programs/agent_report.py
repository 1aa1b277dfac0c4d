"""Evaluating the agent that a run ended with: figures, episodes, a histogram, a film."""

import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from experience.real.evaluator import Episode, EpisodeStatistics, Evaluation, first_episodes
from experience.real.vector_env import make_vector_env
from experience.real.video import check_video, film_episode
from experience.tasks import Task, get_task
from experience.wrapper import engine_info
from figures.intervals import mean_interval
from figures.returns import draw_returns
from figures.tables import comma_separated
from harness.files import write_text
from harness.log import metrics
from harness.run import layout
from programs.agent_files import saved_origin
from programs.behaviour import AgentBehaviour
from programs.saved_runs import load_run, read_config
from programs.scoring import make_play

#: The protocols (eq. 51) by what they are called in evaluation.json, and as people read them.
REFERENCE, FIRST = "reference_protocol", "one_episode_per_environment"
_SHOWN = {REFERENCE: "reference", FIRST: "one per environment"}


def report_agent(run: Path, copies: int | None, seed: int, video: Path | None = None) -> Path:
    """Play `copies` real environments (by default the run's own number) with the run's agent.

    Prints both protocols (eq. 51) with 95 % intervals of their means and writes them to
    `evaluation.json` in the run directory, whose path it returns; beside it the episodes as
    `episodes.csv` and `plots/returns.png`. `video` is an MP4 file for a film of the first episode.
    Raises UserError if the directory holds no finished agent, where an environment returns what is
    no number, or where no film can be made.
    """
    config = read_config(run)
    task = get_task(config.domain, config.dataset_name, config.env)
    if video is not None:
        check_video(video, task, config.env, config.engine)
    copies = config.eval.real_episodes if copies is None else copies
    origin = saved_origin(run / layout.AGENT)
    with closing(
        make_vector_env(
            config.domain, config.dataset_name, copies, config.env, config.engine, origin=origin
        )
    ) as envs:
        agent, learner = load_run(run, envs.state_dim, envs.action_dim)
        evaluation = make_play(agent, task, envs)(learner, seed)
    if video is not None:
        behaviour = AgentBehaviour(agent, learner, reward_shift=task.reward_shift)
        film_episode(behaviour, video, task, config.env, seed, origin)
        print(video)
    protocols = _protocols(evaluation, task)
    Console(width=100).print(_table(config.dataset_name, protocols))
    episodes, path = run / "episodes.csv", run / "evaluation.json"
    write_text(episodes, comma_separated([_line(e, task) for e in evaluation.episodes]))
    picture = _draw(run / "plots/returns.png", evaluation, protocols, task)
    engine = engine_info(config.domain, config.engine)
    record = {
        "dataset_name": config.dataset_name,
        "environments": copies,
        "steps_each": task.horizon,
        "seed": seed,
        "engine": {"name": engine.name, "version": engine.version},
        **protocols,
    }
    write_text(path, json.dumps(record, indent=2) + "\n")
    print(episodes, picture, path, sep="\n")
    return path


def _protocols(evaluation: Evaluation, task: Task) -> dict[str, dict[str, Any]]:
    """The record of each protocol; its intervals are null for a single environment."""

    def described(statistics: EpisodeStatistics, episodes: Sequence[Episode]) -> dict[str, Any]:
        of_copy: dict[int, list[float]] = {}
        for episode in episodes:
            of_copy.setdefault(episode.copy, []).append(episode.return_)
        interval = mean_interval([*of_copy.values()])
        scores = None if interval is None else [task.score(end) for end in interval]
        return vars(statistics) | {"return_interval": interval, "score_interval": scores}

    return {
        REFERENCE: described(evaluation.reference, evaluation.episodes),
        FIRST: described(evaluation.first, first_episodes(evaluation.episodes)),
    }


def _line(episode: Episode, task: Task) -> dict[str, object]:
    """A line of episodes.csv; the first episode of a copy is the one that both protocols count."""
    return {
        "environment": episode.copy,
        "seed": episode.seed,
        "episode": episode.index,
        "return": episode.return_,
        "length": episode.length,
        "score_x100": metrics.PERCENT * task.score(episode.return_),
        "end": "timeout" if episode.timeout else "terminal",
    }


def _draw(
    path: Path, evaluation: Evaluation, protocols: dict[str, dict[str, Any]], task: Task
) -> Path:
    episodes = {REFERENCE: evaluation.episodes, FIRST: first_episodes(evaluation.episodes)}
    returns = {_SHOWN[p]: np.array([e.return_ for e in of]) for p, of in episodes.items()}
    intervals = {_SHOWN[p]: record["return_interval"] for p, record in protocols.items()}
    return draw_returns(path, returns, intervals, (task.ref_min, task.ref_max), task.dataset_name)


def _table(title: str, protocols: dict[str, dict[str, Any]]) -> Table:
    score = "score × 100 [95 % interval]"
    table = Table("protocol", score, "return", "length", "episodes", title=title)
    for name, record in protocols.items():
        interval = record["score_interval"]
        ends = [f"{metrics.PERCENT * end:.1f}" for end in interval or ()]
        table.add_row(
            _SHOWN[name],
            f"{metrics.PERCENT * record['score']:.1f}{f' [{ends[0]}, {ends[1]}]' if ends else ''}",
            f"{record['return_mean']:.1f} ± {record['return_std']:.1f}",
            f"{record['length_mean']:.0f} ± {record['length_std']:.0f}",
            str(record["episodes"]),
        )
    return table
