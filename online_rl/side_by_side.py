"""Runs of several seeds in one process, whose updates are one program (eq. 48 for each).

Between updates every run goes its own way: it collects when its round is over and evaluates when
that is due, while the others wait. So rounds may be of any length, and nothing is computed that is
not used: all make as many updates at once as the first of them has left before its next row.
"""

import time
from collections.abc import Mapping

import numpy as np

from harness.process.failures import Failures
from harness.process.interrupts import Pending
from online_rl.agent import Learner
from online_rl.loop import Training
from online_rl.updates import UpdateTogether


def train(
    runs: Mapping[int, Training[Learner]],
    update_together: UpdateTogether[Learner],
    pending: Pending,
) -> Failures:
    """Take all runs, by seed, to their ends; raises Interrupted, after saving, when a signal came.

    A run that cannot go on leaves the others alone; those are returned.
    """
    group = _Group(dict(runs))
    group.prepare()
    while group.going:
        group.update(update_together, save=pending.requested)
        if group.saved.keys() >= group.going.keys():
            steps = ", ".join(str(step) for step in group.saved.values())
            pending.check(f", saved at steps {steps}: the same command goes on from there")
        group.prepare()
    return group.failures


class _Group:
    """The runs that are still `going`, and what became of the others."""

    def __init__(self, going: dict[int, Training]):
        self.going = going
        self.failures = Failures()
        #: the steps at which runs were saved on request
        self.saved: dict[int, int] = {}

    def prepare(self) -> None:
        """Lets each collect and evaluate for which it is time, and leaves out who is done."""
        ready = {}
        for seed, run in self.going.items():
            began = time.perf_counter()
            with self.failures.of(seed):
                if run.prepare():
                    ready[seed] = run
            seconds = time.perf_counter() - began
            for other in self.going.values():
                other.waited += 0.0 if other is run else seconds
        self.going = ready

    def update(self, update_together: UpdateTogether, *, save: bool) -> None:
        """As many updates of all as the first has left before its next row."""
        count, began = min(run.count for run in self.going.values()), time.perf_counter()
        replays = {seed: run.state.replay for seed, run in self.going.items()}
        learners = {seed: run.state.learner for seed, run in self.going.items()}
        if len(self.going) == 1:
            update_together = _alone(*self.going.values())
        learners, averages = update_together(replays, learners, count)
        seconds = time.perf_counter() - began
        for seed, run in self.going.items():
            with self.failures.of(seed):
                if run.advance(count, learners[seed], averages[seed], seconds):
                    run.save(save)
                    self.saved |= {seed: run.state.updates} if save else {}
        self.going = {s: run for s, run in self.going.items() if s not in self.failures}
        self._show()

    def _show(self) -> None:
        """One progress line for all: that of the first, with the means of all."""
        shown = [run.shown for run in self.going.values()]
        for run in list(self.going.values())[:1]:
            names = set.intersection(*(set(figures) for figures in shown))
            means = {name: float(np.mean([figures[name] for figures in shown])) for name in names}
            run.logger.progress(run.state.updates, run.schedule.total, **means)


def _alone(run: Training[Learner]) -> UpdateTogether[Learner]:
    """The program of a single run, for the last one that is going."""

    def update(replays, learners, count):
        ((seed, replay),) = replays.items()
        learner, averages = run.parts.update_many(replay, learners[seed], count)
        return {seed: learner}, {seed: averages}

    return update
