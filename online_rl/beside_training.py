"""How the training loop's evaluations are made: at once, or of a copy while training goes on."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import numpy as np

from harness.log import metrics
from layers.backend import on_cpu
from online_rl.agent import AbstractAgent, Learner

Figures = dict[str, Any]
#: (learner, step) → figures, and pictures as files
Evaluate = Callable[[Learner, int], Figures]
#: begins an evaluation; the learner may be updated as soon as this returns
Begin = Callable[[Evaluate[Learner], Learner, int], Future[Figures]]


@dataclass(frozen=True)
class UnderWay:
    """An evaluation that `began`, by `time.perf_counter`, and what its row tells besides of the
    state that it is of."""

    figures: Future[Figures]
    about: dict[str, Any]
    counts: dict[str, Any]
    began: float

    @property
    def is_done(self) -> bool:
        return self.figures.done()

    def row(self) -> dict[str, Any]:
        """Waits for the figures; raises what went wrong."""
        row = self.figures.result() | self.about
        return row | {metrics.EVALUATE_SECONDS: time.perf_counter() - self.began}


def at_once(evaluate: Evaluate[Learner], learner: Learner, step: int) -> Future[Figures]:
    """It has ended when this returns."""
    ended: Future[Figures] = Future()
    ended.set_result(evaluate(learner, step))
    return ended


@contextmanager
def evaluations(
    agent: AbstractAgent[Learner], *, beside_training: bool | None
) -> Iterator[Begin[Learner]]:
    """Begins evaluations that have ended when the context has; None: beside training wherever that
    leaves the processor free.

    Those beside training are made one after the other by a thread, of a copy that acts on the
    host's processor, where the environments are: on the device that trains, each of its steps would
    wait for a dispatch of updates.
    """
    if beside_training is None:
        beside_training = not on_cpu()
    if not beside_training:
        yield at_once
        return
    device = _host()
    with ThreadPoolExecutor(1, thread_name_prefix="evaluation") as thread:

        def begin(evaluate: Evaluate[Learner], learner: Learner, step: int) -> Future[Figures]:
            # a copy: the next updates take the learner's own memory
            copy = jax.tree.map(
                lambda leaf: jax.device_put(np.array(leaf), device), _acting_part(agent, learner)
            )
            return thread.submit(evaluate, copy, step)

        yield begin


def _acting_part(agent: AbstractAgent[Learner], learner: Learner) -> Learner:
    """The learner with None in the place of whatever does not act."""
    nothing = jax.tree.map(lambda _: False, learner)
    everything = jax.tree.map(lambda _: True, agent.acting(learner))
    return eqx.filter(learner, eqx.tree_at(agent.acting, nothing, everything))


def _host() -> Any:
    try:
        return jax.local_devices(backend="cpu")[0]
    except RuntimeError:
        # JAX_PLATFORMS hides it
        return jax.local_devices()[0]
