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
from harness.run.interrupts import Pending
from harness.run.timer import Clock
from online_rl.agent import Learner
from online_rl.updates import UpdateMany

#: Updates in one dispatch, and so in one logged row, are at least this many, and few enough for
#: this many rows. Numbers, not times: the rows of a run must not depend on the machine's speed, nor
#: on where the run was interrupted.
SMALLEST_DISPATCH, MOST_ROWS = 32, 20_000


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


@dataclass(frozen=True)
class Schedule:
    """How much of everything: `total` updates, `utd` updates per new transition, evaluations."""

    total: int
    utd: float
    eval_times: int

    @property
    def dispatch(self) -> int:
        """Updates in one dispatch."""
        return max(SMALLEST_DISPATCH, self.total // MOST_ROWS)

    @property
    def evaluation_interval(self) -> int:
        """Updates from one evaluation to the next."""
        return max(self.total // self.eval_times, 1)

    def evaluation_due(self, updates: int, evaluated: int) -> bool:
        """Before training, whenever another 1/eval_times of it is done, and at the end (eq. 49)."""
        every = self.evaluation_interval
        if evaluated < 0 or updates >= self.total > evaluated:
            return True
        return updates // every > evaluated // every


#: (learner, replay, round) → (replay, transitions added to it, figures)
Collect = Callable[[Learner, Any, int], tuple[Any, int, dict[str, Any]]]
#: (learner, step) → figures, and pictures as files
Evaluate = Callable[[Learner, int], dict[str, Any]]


@dataclass(frozen=True)
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


class Training(Generic[Learner]):
    """A run on its way, as whoever makes its updates sees it: `train`, or `side_by_side.train`."""

    def __init__(
        self,
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
        """A checkpoint if one is due or wanted `now`."""
        try:
            self.parts.save(self.state, now)
        except LostDirectoryError:
            self.parts.rescue(self.state)
            raise

    def _evaluate(self) -> None:
        state, schedule = self.state, self.schedule
        began = time.perf_counter()
        result = self.parts.evaluate(state.learner, state.updates) | self.parts.inspect(state)
        result[metrics.EVAL_TIMES] = state.updates // schedule.evaluation_interval
        result[metrics.PROGRESS] = state.updates / schedule.total
        result[metrics.EVALUATE_SECONDS] = time.perf_counter() - began
        self.state = eqx.tree_at(lambda s: s.evaluated, state, state.updates)
        self._log(result)

    def _collect(self) -> None:
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
        self._log(row)

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
        self._log(row)

    def _log(self, row: dict[str, Any]) -> None:
        self._figures |= row
        counts = {
            metrics.GRAD_STEPS: self.state.updates,
            metrics.ROLLOUTS: self.state.rounds,
            metrics.ENV_STEPS: self.state.transitions,
            metrics.WALL_MINUTES: self._clock.minutes(),
        }
        try:
            self.logger.log(self.state.updates, counts | row)
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
        run.save(pending.requested)
        pending.check(f", saved at step {run.state.updates}: the same command goes on from there")
    return run.state


def _shown(figures: dict[str, float]) -> dict[str, float]:
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
