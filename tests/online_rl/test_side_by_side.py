"""Runs whose updates are made together: each as it would be alone, whatever the others do."""

import signal
from functools import partial

import pytest

from harness.errors import LostDirectoryError, UserError
from harness.log import metrics
from harness.log.logger import FanOut
from harness.process.interrupts import Interrupted, Pending
from online_rl import loop, side_by_side
from online_rl.agent import AbstractLearner
from online_rl.schedule import Schedule

SCHEDULE = Schedule(total=300, utd=1.0, eval_times=3)


class Counting(AbstractLearner):
    updates: int


class Log(FanOut):
    def __init__(self):
        super().__init__([])
        self.rows = []

    def log(self, step, row):
        self.rows.append((step, dict(row)))

    def progress(self, done, total, **figures):
        self.shown = figures


def score(learner, step):
    return {metrics.SCORE: float(step)}


def run(seed, *, begin=0, evaluate=score, saves=None):
    """Rounds of a length of this seed's own; a checkpoint is a pair (updates, asked for)."""
    saves = [] if saves is None else saves

    def collect(learner, replay, round_):
        return replay, 40 + 17 * seed + 5 * round_, {"seed": seed}

    parts = loop.Parts(
        collect=collect,
        update_many=lambda replay, learner, count: (
            Counting(learner.updates + count),
            mean(learner, count),
        ),
        evaluate=evaluate,
        inspect=lambda state: {},
        save=lambda state, now: saves.append((state.updates, now)),
        rescue=lambda state: None,
    )
    state = loop.TrainState(
        learner=Counting(begin),
        replay="replay",
        rounds=0,
        transitions=0,
        owed=0,
        evaluated=begin - 1,
        rows=0,
    )
    return loop.Training(state=state, schedule=SCHEDULE, parts=parts, logger=Log())


def mean(learner, count):
    """The mean of the updates' numbers."""
    return {"number": learner.updates + (count - 1) / 2}


def together(replays, learners, count, *, calls=None):
    if calls is not None:
        calls.append((len(learners), count))
    after = {seed: Counting(le.updates + count) for seed, le in learners.items()}
    return after, {seed: mean(le, count) for seed, le in learners.items()}


def timeless(rows):
    return [
        (step, {k: v for k, v in row.items() if not k.startswith(("time/", "count/wall"))})
        for step, row in rows
    ]


def alone(seed):
    training = run(seed)
    loop.train(training, Pending())
    return timeless(training.logger.rows)


def test_every_run_logs_what_it_would_alone_and_nothing_is_computed_in_vain():
    runs, calls = {seed: run(seed) for seed in (0, 1, 2)}, []
    side_by_side.train(runs, partial(together, calls=calls), Pending()).check()
    for seed, training in runs.items():
        rows = timeless(training.logger.rows)
        for (step, row), (alone_step, alone_row) in zip(rows, alone(seed), strict=True):
            assert step == alone_step and row == pytest.approx(alone_row)
    assert len({tuple(step for step, _ in r.logger.rows) for r in runs.values()}) == 3
    assert sum(size * count for size, count in calls) == 3 * SCHEDULE.total
    assert any(metrics.WAITED_SECONDS in row for _, row in runs[0].logger.rows)
    assert runs[0].logger.shown.keys() == {"score"}


def test_one_that_was_ahead_ends_first():
    """As after a kill, when each goes on from a checkpoint of its own; the last goes on alone."""
    runs, calls = {0: run(0), 1: run(1, begin=200), 2: run(2, begin=100)}, []
    side_by_side.train(runs, partial(together, calls=calls), Pending())
    assert {training.state.updates for training in runs.values()} == {SCHEDULE.total}
    assert [sum(n for size, n in calls if size == of) for of in (3, 2, 1)] == [100, 100, 0]


def test_one_that_cannot_go_on_leaves_the_others_alone(capsys):
    def diverge(learner, step):
        if step > 100:
            raise UserError("it diverged: give lower rates")
        return {metrics.SCORE: 0.0}

    runs = {0: run(0), 1: run(1, evaluate=diverge), 2: run(2)}
    failures = side_by_side.train(runs, together, Pending())
    with pytest.raises(UserError, match="^seed 1: it diverged: give lower rates$"):
        failures.check()
    assert capsys.readouterr().err == "seed 1 stops here: it diverged: give lower rates\n"
    assert runs[1].state.updates < SCHEDULE.total
    for seed in (0, 2):
        assert timeless(runs[seed].logger.rows)[-1] == alone(seed)[-1]


def test_a_lost_directory_is_one_runs_own():
    def lose(learner, step):
        raise LostDirectoryError("gone")

    runs = {0: run(0, evaluate=lose), 1: run(1)}
    failures = side_by_side.train(runs, together, Pending())
    assert 0 in failures and 1 not in failures
    assert runs[1].state.updates == SCHEDULE.total


def test_a_signal_stops_all_once_each_is_saved_between_two_rows():
    saves = {0: [], 1: []}
    runs, pending, calls = {seed: run(seed, saves=saves[seed]) for seed in (0, 1)}, Pending(), []

    def signalled(*arguments):
        if len(calls) == 5:
            pending.receive(signal.SIGTERM, None)
        return together(*arguments, calls=calls)

    with pytest.raises(Interrupted, match=r"SIGTERM, saved at steps \d+, \d+: the same command"):
        side_by_side.train(runs, signalled, pending)
    for seed, training in runs.items():
        asked = [step for step, now in saves[seed] if now]
        assert asked and asked[0] in [step for step, _ in training.logger.rows]
    assert len(calls) < 10
