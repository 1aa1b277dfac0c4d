"""The one training loop (eq. 48)."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
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


def train(
    state: TrainState[Learner],
    schedule: Schedule,
    parts: Parts[Learner],
    logger: Logger | FanOut,
    pending: Pending,
    clock: Clock | None = None,
) -> TrainState[Learner]:
    """Run to `schedule.total` updates; raises Interrupted, after saving, when a signal came.

    The last round is cut so that exactly the total is done, and an evaluation follows it. `clock`
    says for how long the run has been going.
    """
    clock = Clock() if clock is None else clock
    figures: dict[str, float] = {}
    while True:
        if state.owed == 0:
            if schedule.evaluation_due(state.updates, state.evaluated):
                state = _evaluate(state, schedule, parts, logger, clock, figures)
            if state.updates >= schedule.total:
                _save(state, parts, True)
                return state
            state = _collect(state, schedule, parts, logger, clock, figures)
        state = _update(state, schedule, parts, logger, clock, figures)
        logger.progress(state.updates, schedule.total, **_shown(figures))
        _save(state, parts, pending.requested)
        pending.check(f", saved at step {state.updates}: the same command goes on from there")


def _evaluate(
    state: TrainState[Learner],
    schedule: Schedule,
    parts: Parts[Learner],
    logger: Logger | FanOut,
    clock: Clock,
    figures: dict[str, Any],
) -> TrainState[Learner]:
    began = time.perf_counter()
    result = parts.evaluate(state.learner, state.updates) | parts.inspect(state)
    result[metrics.EVAL_TIMES] = state.updates // schedule.evaluation_interval
    result[metrics.PROGRESS] = state.updates / schedule.total
    result[metrics.EVALUATE_SECONDS] = time.perf_counter() - began
    figures |= result
    evaluated = eqx.tree_at(lambda s: s.evaluated, state, state.updates)
    return _logged(evaluated, parts, logger, clock, result)


def _collect(
    state: TrainState[Learner],
    schedule: Schedule,
    parts: Parts[Learner],
    logger: Logger | FanOut,
    clock: Clock,
    figures: dict[str, Any],
) -> TrainState[Learner]:
    began = time.perf_counter()
    replay, size, row = parts.collect(state.learner, state.replay, state.rounds)
    owed = min(math.ceil(size * schedule.utd), schedule.total - state.updates)
    state = TrainState(
        learner=state.learner,
        replay=replay,
        rounds=state.rounds + 1,
        transitions=state.transitions + size,
        owed=owed,
        evaluated=state.evaluated,
        rows=state.rows,
    )
    row[metrics.COLLECT_SECONDS] = time.perf_counter() - began
    figures |= row
    return _logged(state, parts, logger, clock, row)


def _update(
    state: TrainState[Learner],
    schedule: Schedule,
    parts: Parts[Learner],
    logger: Logger | FanOut,
    clock: Clock,
    figures: dict[str, Any],
) -> TrainState[Learner]:
    count = min(state.owed, schedule.dispatch)
    began = time.perf_counter()
    learner, averages = parts.update_many(state.replay, state.learner, count)
    seconds = time.perf_counter() - began
    state = TrainState(
        learner=learner,
        replay=state.replay,
        rounds=state.rounds,
        transitions=state.transitions,
        owed=state.owed - count,
        evaluated=state.evaluated,
        rows=state.rows,
    )
    row = {metrics.AGENT + name: value for name, value in averages.items()}
    row[metrics.UPDATES_PER_SECOND] = count / seconds
    figures |= row
    return _logged(state, parts, logger, clock, row)


def _save(state: TrainState, parts: Parts, now: bool) -> None:
    try:
        parts.save(state, now)
    except LostDirectoryError:
        parts.rescue(state)
        raise


def _logged(
    state: TrainState[Learner],
    parts: Parts[Learner],
    logger: Logger | FanOut,
    clock: Clock,
    row: dict[str, Any],
) -> TrainState[Learner]:
    counts = {
        metrics.GRAD_STEPS: state.updates,
        metrics.ROLLOUTS: state.rounds,
        metrics.ENV_STEPS: state.transitions,
        metrics.WALL_MINUTES: clock.minutes(),
    }
    try:
        logger.log(state.updates, counts | row)
    except LostDirectoryError:
        parts.rescue(state)
        raise
    return eqx.tree_at(lambda s: s.rows, state, state.rows + 1)


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
