"""Evaluations beside training: the sequential rows, in another order; nothing lost, nobody left."""

import signal
import threading
from concurrent.futures import Future
from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from harness.errors import LostDirectoryError, UserError
from harness.log import metrics
from harness.log.logger import FanOut
from harness.process.interrupts import Interrupted, Pending
from online_rl import loop, side_by_side
from online_rl.beside_training import at_once, evaluations
from online_rl.schedule import Schedule
from tests.online_rl.probes import make_agent

AGENT = make_agent()
SCHEDULE = Schedule(total=200, utd=0.5, eval_times=5)
CLOCKS = ("time/", metrics.WALL_MINUTES)


class Rows(FanOut):
    def __init__(self):
        super().__init__([])
        self.rows = []

    def log(self, step, metrics):
        timeless = {k: v for k, v in metrics.items() if not k.startswith(CLOCKS)}
        self.rows.append({"step": step} | timeless)

    def progress(self, *_, **__):
        pass


@eqx.filter_jit(donate="all")
def add(learner, count):
    return jax.tree.map(lambda leaf: leaf + count.astype(leaf.dtype), learner)


def learned(learner, count):
    """Every number of the learner counts its updates."""
    return add(learner, jnp.asarray(count, jnp.int32))


def weight(learner, step):
    return {metrics.SCORE: float(jax.tree.leaves(learner.actor)[0].ravel()[0])}


@pytest.fixture(scope="module")
def zeros():
    """A learner of zeros, as NumPy arrays."""
    learner = jax.eval_shape(lambda: AGENT.init(jax.random.key(0)))
    return jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), learner)


def begin(learner):
    learner = jax.tree.map(jnp.array, learner)
    return loop.TrainState(
        learner=learner, replay=None, rounds=0, transitions=0, owed=0, evaluated=-1, rows=0
    )


def training(state, begin, *, evaluate=weight, save=lambda state, now: None, on_update=None):
    def update_many(replay, learner, count):
        if on_update is not None:
            on_update(int(learner.updates))
        return learned(learner, count), {"loss": 1.0}

    parts = loop.Parts(
        collect=lambda learner, replay, round_: (replay, 100, {"collected": round_}),
        update_many=update_many,
        evaluate=evaluate,
        inspect=lambda state: {"inspected": state.updates},
        save=save,
        rescue=lambda state: None,
        begin=begin,
    )
    return loop.Training(state=state, schedule=SCHEDULE, parts=parts, logger=Rows())


def rows_of(*arguments, pending=None, **parts):
    run = training(*arguments, **parts)
    loop.train(run, pending or Pending())
    return run.logger.rows


def in_order(rows):
    return sorted(rows, key=lambda row: (row["step"], sorted(row)))


def told(rows):
    return [row["step"] for row in rows if metrics.SCORE in row]


def threads():
    return [thread for thread in threading.enumerate() if "evaluation" in thread.name]


@pytest.fixture(scope="module")
def sequential(zeros):
    rows = rows_of(begin(zeros), at_once)
    assert told(rows) == [0, 50, 100, 150, 200]
    assert [row[metrics.SCORE] for row in rows if metrics.SCORE in row] == told(rows)
    return rows


class Updates:
    """How many were made, for evaluations that wait for the next ones."""

    def __init__(self):
        self._changed, self._done = threading.Condition(), 0

    def note(self, before):
        with self._changed:
            self._done = before + 1
            self._changed.notify_all()

    def patient(self, learner, step):
        """Evaluates when updates have been made after its copy was taken."""
        with self._changed:
            assert step == SCHEDULE.total or self._changed.wait_for(lambda: self._done > step, 60)
        return weight(learner, step)


def test_a_copy_is_evaluated_while_updates_go_on(zeros, sequential):
    updates = Updates()
    with evaluations(AGENT, beside_training=True) as beside:
        rows = rows_of(begin(zeros), beside, evaluate=updates.patient, on_update=updates.note)
    assert rows != sequential and in_order(rows) == in_order(sequential)
    assert not threads()


def test_what_acts_is_copied_to_the_processor_and_nothing_else(zeros):
    learner = begin(zeros).learner
    with evaluations(AGENT, beside_training=True) as beside:
        copy = beside(lambda learner, step: {"learner": learner}, learner, 0).result()["learner"]
    assert eqx.tree_equal(copy.actor, learner.actor)
    assert jax.tree.leaves(copy) == jax.tree.leaves(copy.actor)
    assert {leaf.devices().pop().platform for leaf in jax.tree.leaves(copy)} == {"cpu"}


def test_a_copy_is_made_where_jax_cannot_reach_the_processor(zeros, monkeypatch):
    """As with JAX_PLATFORMS=cuda."""
    learner, devices = begin(zeros).learner, jax.local_devices

    def local_devices(backend=None):
        return devices(backend=backend if backend is None else "tpu")

    monkeypatch.setattr(jax, "local_devices", local_devices)
    with evaluations(AGENT, beside_training=True) as beside:
        evaluation = beside(weight, learner, 0)
        learned(learner, 1)
        assert evaluation.result() == {metrics.SCORE: 0.0}


def test_two_runs_share_the_thread(zeros, sequential):
    with evaluations(AGENT, beside_training=True) as beside:
        runs = {seed: training(begin(zeros), beside) for seed in (0, 1)}

        def together(replays, learners, count):
            after = {seed: learned(learner, count) for seed, learner in learners.items()}
            return after, dict.fromkeys(learners, {"loss": 1.0})

        side_by_side.train(runs, together, Pending())
    for run in runs.values():
        assert in_order(run.logger.rows) == in_order(sequential)


@pytest.mark.parametrize("error", [UserError, LostDirectoryError, RuntimeError])
@pytest.mark.parametrize("beside", [False, True])
def test_what_goes_wrong_in_an_evaluation_ends_training(zeros, error, beside):
    def fail(learner, step):
        raise error("the robot fell")

    with (
        pytest.raises(error, match="^the robot fell$"),
        evaluations(AGENT, beside_training=beside) as how,
    ):
        rows_of(begin(zeros), how, evaluate=fail)
    assert not threads()


def test_an_error_of_training_waits_for_the_evaluation_and_is_told(zeros):
    training, ended = threading.Event(), threading.Event()

    def slow(learner, step):
        training.wait(60)
        ended.set()
        return {}

    def full(updates):
        training.set()
        raise UserError("the disk is full")

    with (
        pytest.raises(UserError, match="disk is full"),
        evaluations(AGENT, beside_training=True) as beside,
    ):
        rows_of(begin(zeros), beside, evaluate=slow, on_update=full)
    assert ended.is_set()


class Late(Future):
    """An evaluation that ends when somebody waits for it, and not before."""

    def __init__(self, figures):
        super().__init__()
        self._make = figures

    def result(self, timeout=None):
        self.set_result(self._make())
        return super().result()


def as_late_as_possible(evaluate, learner, step):
    copy = jax.tree.map(jnp.array, learner)
    return Late(lambda: evaluate(copy, step))


def copied(state):
    """As a checkpoint has it: the learner's memory is soon another's."""
    return replace(state, learner=jax.tree.map(jnp.array, state.learner))


def test_every_checkpoint_has_all_evaluations_before_it_and_is_gone_on_from(zeros, sequential):
    """Where evaluations never pause, there is one checkpoint between each two."""
    saved = []
    rows = rows_of(
        begin(zeros), as_late_as_possible, save=lambda state, now: saved.append(copied(state))
    )
    assert in_order(rows) == in_order(sequential)
    assert [state.evaluated for state in saved] == [0, 50, 100, 150, 200]
    for state in saved:
        before = rows[: state.rows]
        assert told(before) == list(range(0, state.evaluated + 1, 50))
        assert in_order(before + rows_of(copied(state), at_once)) == in_order(sequential)


def test_a_signal_waits_for_the_evaluation_then_saves(zeros, sequential):
    pending, saved = Pending(), []

    def on_update(updates):
        if updates > 60:
            pending.receive(signal.SIGTERM, None)

    with pytest.raises(Interrupted, match="SIGTERM, saved at step 100: the same command goes on"):
        rows_of(
            begin(zeros),
            as_late_as_possible,
            save=lambda state, now: saved.append((copied(state), now)),
            pending=pending,
            on_update=on_update,
        )
    state, now = saved[-1]
    assert now and state.evaluated == 50
    assert rows_of(state, at_once) == sequential[state.rows :]


def test_a_signal_during_a_save_is_left_to_the_next_one(zeros):
    pending, saved = Pending(), []

    def save(state, now):
        saved.append((state.updates, now))
        if len(saved) == 1:
            pending.receive(signal.SIGTERM, None)

    with pytest.raises(Interrupted, match="SIGTERM, saved at step 50: "):
        rows_of(begin(zeros), at_once, save=save, pending=pending)
    assert saved == [(32, False), (50, True)]


def test_only_an_accelerator_leaves_the_processor_free(zeros, monkeypatch):
    for on_cpu in (True, False):
        monkeypatch.setattr("online_rl.beside_training.on_cpu", lambda on_cpu=on_cpu: on_cpu)
        with evaluations(AGENT, beside_training=None) as how:
            name = how(lambda *_: {"by": threading.current_thread().name}, begin(zeros).learner, 0)
        assert name.result()["by"].startswith("evaluation") != on_cpu
