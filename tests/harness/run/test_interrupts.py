import os
import signal
import threading

import pytest

from harness.run.interrupts import Interrupted, deferred, raised_at_once


def send(number):
    os.kill(os.getpid(), number)


def test_deferred_until_the_loop_looks():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Interrupted) as caught, deferred() as stop:
        stop.check()
        send(signal.SIGTERM)
        assert stop.requested
        stop.check()
    assert caught.value.exit_code == 143
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_request_that_nobody_checked_is_not_lost():
    with pytest.raises(Interrupted), deferred():
        send(signal.SIGINT)


def test_a_second_signal_does_not_wait():
    with pytest.raises(Interrupted), deferred():
        send(signal.SIGINT)
        send(signal.SIGINT)
        pytest.fail("the second signal should have ended the block")


def test_outside_the_loop_a_signal_is_raised_at_once():
    with pytest.raises(Interrupted) as caught, raised_at_once():
        with deferred() as stop:
            stop.check()
        send(signal.SIGINT)
        pytest.fail("the signal should have ended the block")
    assert caught.value.exit_code == 130


def test_other_threads_may_use_the_same_loop():
    results = []

    def loop():
        with deferred() as stop:
            results.append(stop.requested)

    thread = threading.Thread(target=loop)
    thread.start()
    thread.join()
    assert results == [False]
