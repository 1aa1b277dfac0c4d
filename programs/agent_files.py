"""Trained agents on disk: their networks, without optimisers or replay.

An agent whose states are measured from an origin of their own keeps it with its networks, under the
same manifest: without it nobody could show it the world again.
"""

import sys
import tempfile
from pathlib import Path

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from experience.data.origin import Origin
from harness.errors import UserError
from harness.saving import checkpoint
from harness.saving.leaves import named_leaves
from online_rl.agent import AbstractAgent, Learner

_ORIGIN = "state_origin"


def save_agent(
    folder: Path, agent: AbstractAgent[Learner], learner: Learner, origin: Origin | None = None
) -> None:
    """Writes the networks below `folder`, replacing what was there only when they are complete."""
    notes = {} if origin is None else {_ORIGIN: origin.tolist()}
    checkpoint.save(folder, int(learner.updates), agent.networks(learner), kept=1, notes=notes)


def saved_origin(folder: Path | str) -> Origin | None:
    """What the states of the agent in `folder` are measured from; None if it is nothing."""
    stored = checkpoint.notes(Path(folder).expanduser()).get(_ORIGIN)
    return None if stored is None else np.array(stored, np.float64)


def load_agent(
    folder: Path | str,
    agent: AbstractAgent[Learner],
    learner: Learner,
    origin: Origin | None = None,
) -> Learner:
    """`learner` with the networks saved in `folder`.

    UserError if none or others are there, or if they know states measured from another `origin`.
    """
    folder = Path(folder).expanduser()
    known = saved_origin(folder)
    same = known is origin if known is None or origin is None else np.array_equal(known, origin)
    if not same:
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
    for name, leaf in named_leaves(saved[1]):
        if eqx.is_inexact_array(leaf) and not jnp.isfinite(leaf).all():
            raise UserError(
                f"load_agent_path={folder} holds NaN or inf in {name}: its training diverged, so"
                " give another agent"
            )
    return agent.with_networks(learner, saved[1])


def _words(origin: Origin | None) -> str:
    return "0" if origin is None else str(origin.tolist())


def rescue_agent(
    run: Path, agent: AbstractAgent[Learner], learner: Learner, origin: Origin | None = None
) -> None:
    """Saves the agent of a run whose directory is lost, where there is a place, and says where.

    Other runs may be lost with it: what their directories are called tells them apart.
    """
    step = int(learner.updates)
    name = "-".join(part for part in run.parts[-4:] if part != run.anchor)
    for home in (Path(), Path.home(), Path(tempfile.gettempdir())):
        try:
            folder = (home / f"rescued-{name}").absolute()
            save_agent(folder, agent, learner, origin)
        # where the program was started may be lost as well, and then has no path
        except (UserError, FileNotFoundError):
            continue
        print(
            f"the agent of step {step} is rescued in {folder}: a run with load_agent_path={folder}"
            " goes on from it",
            file=sys.stderr,
            flush=True,
        )
        return
