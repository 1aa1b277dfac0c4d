"""Trained agents on disk: their networks, without optimisers or replay.

An agent whose states are measured from an origin of their own keeps it beside its networks: without
it nobody could show it the world again.
"""

import json
from pathlib import Path

import numpy as np

from experience.data.origin import Origin
from harness.errors import UserError
from harness.files import write_text
from harness.run import checkpoint
from online_rl.agent import AbstractAgent, AbstractLearner

_ORIGIN = "state_origin.json"


def save_agent(
    folder: Path, agent: AbstractAgent, learner: AbstractLearner, origin: Origin | None = None
) -> None:
    """Writes the networks below `folder`, replacing what was there only when they are complete."""
    if origin is None:
        (folder / _ORIGIN).unlink(missing_ok=True)
    else:
        write_text(folder / _ORIGIN, json.dumps(origin.tolist()) + "\n")
    checkpoint.save(folder, int(learner.updates), agent.networks(learner))


def saved_origin(folder: Path | str) -> Origin | None:
    """What the states of the agent in `folder` are measured from; None if it is nothing."""
    file = Path(folder).expanduser() / _ORIGIN
    return np.array(json.loads(file.read_text()), np.float64) if file.exists() else None


def load_agent(
    folder: Path | str,
    agent: AbstractAgent,
    learner: AbstractLearner,
    origin: Origin | None = None,
) -> AbstractLearner:
    """`learner` with the networks saved in `folder`.

    UserError if none or others are there, or if they know states measured from another `origin`.
    """
    folder = Path(folder).expanduser()
    known = saved_origin(folder)
    if (known is None) != (origin is None) or not np.array_equal(known, origin):
        raise UserError(
            f"load_agent_path={folder} is of an agent whose states are measured from"
            f" {_words(known)}, while those of this dataset are measured from {_words(origin)}:"
            " take an agent that was trained on this dataset"
        )
    remedy = "give the agent of a run with the same sizes, or set the sizes that it has"
    saved = checkpoint.restore(folder, agent.networks(learner), remedy=remedy)
    if saved is None:
        raise UserError(
            f"load_agent_path={folder} has no saved agent: give the `agent` folder of a finished"
            " run"
        )
    return agent.with_networks(learner, saved[1])


def _words(origin: Origin | None) -> str:
    return "0" if origin is None else str(origin.tolist())
