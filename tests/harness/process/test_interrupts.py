import os
import pty
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from harness.process.interrupts import Interrupted, deferred, raised_at_once

REPOSITORY = Path(__file__).resolve().parents[3]


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


BUSY = """
import hashlib
from harness.process.interrupts import deferred
with deferred():
    print("ready", flush=True)
    # as in a compiled computation: no Python runs, for minutes
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2_000_000_000)
"""


def test_the_first_signal_is_answered_and_the_second_obeyed_inside_a_long_computation():
    with subprocess.Popen(
        [sys.executable, "-c", BUSY],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    ) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.stderr.readline().startswith("stopping at the next safe point")
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == "stopped by SIGINT at once\n"
        assert process.wait() == 130


LOST = """
import os, sys
from harness.process.interrupts import Interrupted, raised_at_once, deferred
entry = int(sys.argv[1]) if len(sys.argv) > 1 else 0
try:
    with raised_at_once(), deferred() as stop:
        os.write(entry, b"ready")
        while not stop.requested:
            pass
        print("a line that nobody can read", flush=True)
        stop.check()
except Interrupted as interruption:
    print("nor this", flush=True)
    sys.exit(interruption.exit_code)
"""


def test_a_lost_terminal_does_not_keep_the_work_from_being_saved():
    exit_, entry = os.pipe()
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(REPOSITORY)
        os.set_inheritable(entry, True)
        os.execv(sys.executable, [sys.executable, "-c", LOST, str(entry)])
    assert os.read(exit_, 5) == b"ready"
    for end in (terminal, exit_, entry):
        os.close(end)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 128 + signal.SIGHUP


def test_nohup_is_obeyed():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with raised_at_once():
            send(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


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
