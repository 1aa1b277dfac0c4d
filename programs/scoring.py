"""A continuous agent in its real environment: figures for the log, and pictures of mazes."""

from collections.abc import Callable
from pathlib import Path

import equinox as eqx
import jax
import numpy as np

from catalogue import domains
from experience.real.evaluator import Evaluation, evaluate
from experience.real.vector import AbstractVectorEnv
from experience.tasks import Task
from harness.log import metrics
from harness.log.compiling import announced
from online_rl.agent import AbstractAgent, AbstractLearner
from online_rl.beside_training import Evaluate

#: (learner, seed) → evaluation, its trajectories included
Play = Callable[[AbstractLearner, int], Evaluation]
#: (evaluation, folder, gradient step) → its pictures by the name they are logged under
Draw = Callable[[Evaluation, Path, int], dict[str, Path]]


def make_play(agent: AbstractAgent, task: Task, envs: AbstractVectorEnv) -> Play:
    """Both protocols (eq. 51) in the real environment, with deterministic actions."""

    @eqx.filter_jit
    def act(learner, observation, start, memory):
        unused = jax.random.key(0)
        return agent.act(learner, observation, start, memory, unused, deterministic=True)

    act = announced("the actor", act)

    def play(learner: AbstractLearner, seed: int) -> Evaluation:
        # where the agent is; committed, as later memories are: otherwise `act` compiles twice
        place = jax.tree.leaves(agent.acting(learner))[0].sharding
        return evaluate(
            lambda observation, start, memory: act(learner, observation, start, memory),
            jax.device_put(agent.initial_memory(learner, envs.copies), place),
            envs,
            horizon=task.horizon,
            first_action=np.asarray(agent.first_action, np.float32),
            reward_shift=task.reward_shift,
            score=task.score,
            seed=seed,
            keep_trajectories=True,
        )

    return play


def make_score(play: Play, task: Task, seed: int, folder: Path) -> Evaluate:
    """The loop's `evaluate`: figures, and the task's pictures, which are kept in `folder`."""
    draw = _picture_maker(task)

    def run(learner: AbstractLearner, step: int) -> dict[str, float | Path]:
        evaluation = play(learner, score_seed(seed, step))
        return figures(evaluation) | draw(evaluation, folder, step)

    return run


def score_seed(seed: int, step: int) -> int:
    """A seed of its own for the evaluation of each gradient step of each run."""
    return int(np.random.SeedSequence([seed, step]).generate_state(1)[0])


def figures(evaluation: Evaluation) -> dict[str, float]:
    """Both protocols under the names in the log."""
    return {
        metrics.SCORE: evaluation.reference.score,
        metrics.SCORE_FIRST: evaluation.first.score,
        metrics.TEST_RETURN_MEAN: evaluation.reference.return_mean,
        metrics.TEST_RETURN_STD: evaluation.reference.return_std,
        metrics.TEST_RETURN_FIRST_MEAN: evaluation.first.return_mean,
        metrics.TEST_RETURN_FIRST_STD: evaluation.first.return_std,
        metrics.TEST_LENGTH_MEAN: evaluation.reference.length_mean,
    }


def _picture_maker(task: Task) -> Draw:
    return _maze_pictures(task) if task.domain == domains.ANTMAZE else _no_pictures


def _no_pictures(evaluation: Evaluation, folder: Path, step: int) -> dict[str, Path]:
    return {}


def _maze_pictures(task: Task) -> Draw:
    from experience.engine.antmaze import maze_layout
    from figures.maze import draw_maze

    layout = maze_layout(task.environment or task.dataset_name)

    def draw(evaluation: Evaluation, folder: Path, step: int) -> dict[str, Path]:
        assert evaluation.trajectories is not None and evaluation.goals is not None
        path = folder / f"maze_step{step:08d}.png"
        title = f"{task.dataset_name}, step {step}"
        draw_maze(path, layout, evaluation.trajectories, evaluation.goals, title)
        return {"plots/maze": path}

    return draw
