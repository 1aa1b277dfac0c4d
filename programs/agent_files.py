"""Trained agents on disk: their networks, without optimisers or replay."""

from pathlib import Path

from harness.errors import UserError
from harness.run import checkpoint
from online_rl.agent import AbstractAgent, AbstractLearner


def save_agent(folder: Path, agent: AbstractAgent, learner: AbstractLearner) -> None:
    """Writes the networks below `folder`, replacing what was there only when they are complete."""
    checkpoint.save(folder, int(learner.updates), agent.networks(learner))


def load_agent(
    folder: Path | str, agent: AbstractAgent, learner: AbstractLearner
) -> AbstractLearner:
    """`learner` with the networks saved in `folder`; UserError if none or others are there."""
    folder = Path(folder).expanduser()
    remedy = "give the agent of a run with the same sizes, or set the sizes that it has"
    saved = checkpoint.restore(folder, agent.networks(learner), remedy=remedy)
    if saved is None:
        raise UserError(
            f"load_agent_path={folder} has no saved agent: give the `agent` folder of a finished"
            " run"
        )
    return agent.with_networks(learner, saved[1])
