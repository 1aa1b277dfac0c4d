"""Evaluating the agent that a run ended with."""

import json
from contextlib import closing
from pathlib import Path

from rich.console import Console
from rich.table import Table

from experience.real.evaluator import Evaluation
from experience.real.vector_env import make_vector_env
from experience.real.video import check_video, film_episode
from experience.tasks import get_task
from experience.wrapper import engine_info
from harness.files import write_text
from harness.log import metrics
from programs.agent_files import saved_origin
from programs.behaviour import AgentBehaviour
from programs.saved_runs import load_run, read_config
from programs.scoring import make_play


def report_agent(run: Path, copies: int | None, seed: int, video: Path | None = None) -> Path:
    """Play `copies` real environments (by default the run's own number) with the run's agent.

    Prints both protocols (eq. 51) and writes them to `evaluation.json` in the run directory, whose
    path it returns; `video` is an MP4 file for a film of the first episode. Raises UserError if the
    directory holds no finished agent, or where no film can be made.
    """
    config = read_config(run)
    if video is not None:
        check_video(video, config.engine)
    task = get_task(config.domain, config.dataset_name, config.env)
    copies = config.eval.real_episodes if copies is None else copies
    origin = saved_origin(run / "agent")
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
    Console(width=100).print(_table(config.dataset_name, evaluation))
    engine = engine_info(config.domain, config.engine)
    record = {
        "dataset_name": config.dataset_name,
        "environments": copies,
        "steps_each": task.horizon,
        "seed": seed,
        "engine": {"name": engine.name, "version": engine.version},
        "reference_protocol": vars(evaluation.reference),
        "one_episode_per_environment": vars(evaluation.first),
    }
    path = run / "evaluation.json"
    write_text(path, json.dumps(record, indent=2) + "\n")
    print(path)
    return path


def _table(title: str, evaluation: Evaluation) -> Table:
    table = Table("protocol", "score × 100", "return", "length", "episodes", title=title)
    rows = {"reference": evaluation.reference, "one per environment": evaluation.first}
    for name, figures in rows.items():
        table.add_row(
            name,
            f"{metrics.PERCENT * figures.score:.1f}",
            f"{figures.return_mean:.1f} ± {figures.return_std:.1f}",
            f"{figures.length_mean:.0f} ± {figures.length_std:.0f}",
            str(figures.episodes),
        )
    return table
