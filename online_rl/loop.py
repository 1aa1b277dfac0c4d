"""The one training loop (eq. 48)."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any, Generic

import equinox as eqx

from harness.errors import LostDirectoryError
from harness.log import metrics
from harness.log.logger import FanOut, Logger
from harness.process.interrupts import Pending
from harness.process.timer import Clock
from online_rl.agent import Learner
from online_rl.beside_training import Begin, Evaluate, UnderWay, at_once
from online_rl.schedule import Schedule
from online_rl.updates import UpdateMany


class TrainState(eqx.Module, Generic[Learner]):
    """All that training depends on; a run resumes from it as if it had never stopped."""

    # learned
    learner: Learner
    # replay
    replay: Any
    # progress
    rounds: int
    transitions: int
    #: updates of the present round still to do
    owed: int
    #: the gradient step of the last evaluation, −1 before the first
    evaluated: int
    #: rows logged so far: those after them are written again by a run that resumes
    rows: int

    @property
    def updates(self) -> int:
        return int(self.learner.updates)


#: (learner, replay, round) → (replay, transitions added to it, figures)
Collect = Callable[[Learner, Any, int], tuple[Any, int, dict[str, Any]]]


@dataclass(frozen=True, kw_only=True)
class Parts(Generic[Learner]):
    """What the loop calls; each hides what the others need not know."""

    collect: Collect[Learner]
    update_many: UpdateMany[Learner]
    evaluate: Evaluate[Learner]
    #: what the learner looks like from inside, asked at evaluations only
    inspect: Callable[[TrainState], dict[str, Any]]
    #: called with every state worth resuming from, and whether the run must be saved now
    save: Callable[[TrainState, bool], None]
    #: called with the present state where the run's own directory cannot be written any more
    rescue: Callable[[TrainState], None]
    #: makes an evaluation, or begins it
    begin: Begin[Learner] = at_once


class Training(Generic[Learner]):
    """A run on its way, as whoever makes its updates sees it: `train`, or `side_by_side.train`."""

    def __init__(
        self,
        *,
        state: TrainState[Learner],
        schedule: Schedule,
        parts: Parts[Learner],
        logger: Logger | FanOut,
        clock: Clock | None = None,
    ):
        """`clock` says for how long the run has been going."""
        self.state, self.schedule, self.parts, self.logger = state, schedule, parts, logger
        self._clock = Clock() if clock is None else clock
        self._figures: dict[str, Any] = {}
        #: seconds since the last row in which it stood still for runs beside it
        self.waited = 0.0
        # of the updates since the last row: their number, their means, the seconds they took
        self._pieces: list[tuple[int, dict[str, Any], float]] = []
        self._evaluation: UnderWay | None = None

    def prepare(self) -> bool:
        """Evaluates and collects when it is time to; whether there are updates left to do."""
        if self.state.owed == 0:
            if self.schedule.evaluation_due(self.state.updates, self.state.evaluated):
                self._evaluate()
            if self.state.updates >= self.schedule.total:
                self.save(True)
                return False
            self._collect()
        return True

    @property
    def count(self) -> int:
        """Updates to do before the next row."""
        whole = min(self.state.owed, self.schedule.dispatch)
        return whole - sum(count for count, *_ in self._pieces)

    def advance(
        self, count: int, learner: Learner, averages: dict[str, Any], seconds: float
    ) -> bool:
        """Takes in `count` updates, which gave `learner` and the means `averages`; whether a row
        was due, and so the run may be saved."""
        is_due = count == self.count
        self._pieces.append((count, averages, seconds))
        self.state = eqx.tree_at(lambda s: s.learner, self.state, learner)
        if is_due:
            self._finish_row()
        return is_due

    @property
    def shown(self) -> dict[str, float]:
        """What the progress line tells of it."""
        return _shown(self._figures)

    def save(self, now: bool) -> None:
        """A checkpoint if one is due or wanted `now`, for which an evaluation is waited for.

        None is saved beside an evaluation, which a run that resumes could not make again.
        """
        if self._evaluation is not None:
            if not (now or self._evaluation.is_done):
                return
            self._end_evaluation()
        try:
            self.parts.save(self.state, now)
        except LostDirectoryError:
            self.parts.rescue(self.state)
            raise

    def _evaluate(self) -> None:
        """Begins the evaluation that is due, once the one before has ended."""
        if self._evaluation is not None:
            self._end_evaluation()
            # where they take longer than the updates between them, there is no other moment
            self.save(False)
        state, schedule, parts = self.state, self.schedule, self.parts
        began = time.perf_counter()
        figures = parts.begin(parts.evaluate, state.learner, state.updates)
        about = parts.inspect(state)
        about[metrics.EVAL_TIMES] = state.updates // schedule.evaluation_interval
        about[metrics.PROGRESS] = state.updates / schedule.total
        self._evaluation = UnderWay(
            figures=figures, about=about, counts=self._counts(), began=began
        )
        self.state = eqx.tree_at(lambda s: s.evaluated, state, state.updates)
        if self._evaluation.is_done:
            self._end_evaluation()

    def _end_evaluation(self) -> None:
        """Waits for the one under way; raises what went wrong in it."""
        assert self._evaluation is not None
        counts, row = self._evaluation.counts, self._evaluation.row()
        self._evaluation = None
        self._log(counts, row)

    def _collect(self) -> None:
        """A round's rollouts, and the updates that are owed for them (eq. 48)."""
        state, schedule = self.state, self.schedule
        began = time.perf_counter()
        replay, size, row = self.parts.collect(state.learner, state.replay, state.rounds)
        self.state = TrainState(
            learner=state.learner,
            replay=replay,
            rounds=state.rounds + 1,
            transitions=state.transitions + size,
            owed=min(math.ceil(size * schedule.utd), schedule.total - state.updates),
            evaluated=state.evaluated,
            rows=state.rows,
        )
        row[metrics.COLLECT_SECONDS] = time.perf_counter() - began
        self._log(self._counts(), row)

    def _finish_row(self) -> None:
        counts, averages, seconds = zip(*self._pieces, strict=True)
        self._pieces = []
        total = sum(counts)
        self.state = eqx.tree_at(lambda s: s.owed, self.state, self.state.owed - total)
        # a share of 1 leaves a lone mean as it is
        shares = [count / total for count in counts]
        parts = [
            {name: share * mean for name, mean in piece.items()}
            for share, piece in zip(shares, averages, strict=True)
        ]
        means = {name: reduce(add, (part[name] for part in parts)) for name in parts[0]}
        row = {metrics.AGENT + name: value for name, value in means.items()}
        row[metrics.UPDATES_PER_SECOND] = total / sum(seconds)
        if self.waited:
            row[metrics.WAITED_SECONDS], self.waited = self.waited, 0.0
        self._log(self._counts(), row)

    def _counts(self) -> dict[str, Any]:
        return {
            metrics.GRAD_STEPS: self.state.updates,
            metrics.ROLLOUTS: self.state.rounds,
            metrics.ENV_STEPS: self.state.transitions,
        }

    def _log(self, counts: dict[str, Any], row: dict[str, Any]) -> None:
        self._figures |= row
        row = counts | {metrics.WALL_MINUTES: self._clock.minutes()} | row
        try:
            self.logger.log(row[metrics.GRAD_STEPS], row)
        except LostDirectoryError:
            self.parts.rescue(self.state)
            raise
        self.state = eqx.tree_at(lambda s: s.rows, self.state, self.state.rows + 1)


def train(run: Training[Learner], pending: Pending) -> TrainState[Learner]:
    """To `schedule.total` updates; raises Interrupted, after saving, when a signal came.

    The last round is cut so that exactly the total is done, and an evaluation follows it.
    """
    while run.prepare():
        count, began = run.count, time.perf_counter()
        learner, averages = run.parts.update_many(run.state.replay, run.state.learner, count)
        run.advance(count, learner, averages, time.perf_counter() - began)
        run.logger.progress(run.state.updates, run.schedule.total, **run.shown)
        # asked once: a signal during the save is left to the next one
        stop = pending.requested
        run.save(stop)
        if stop:
            step = run.state.updates
            pending.check(f", saved at step {step}: the same command goes on from there")
    return run.state


def _shown(figures: dict[str, Any]) -> dict[str, float]:
    names = {
        "score": metrics.SCORE,
        "return": metrics.TEST_RETURN_MEAN,
        "horizon": metrics.HORIZON_Q50,
    }
    return {
        label: metrics.shown(name, figures[name])
        for label, name in names.items()
        if name in figures
    }
