"""What one of several runs does wrong is its own, and is not forgotten."""

import pytest

from harness.errors import UserError
from harness.process.failures import Failures


def test_errors_are_told_at_once_and_raised_at_the_end(capsys):
    failures, went_on = Failures(), []
    for seed in (0, 1, 2):
        with failures.of(seed):
            went_on.append(seed)
            if seed:
                raise UserError(f"wrong {seed}: correct it")
    assert went_on == [0, 1, 2] and 0 not in failures and 2 in failures
    assert capsys.readouterr().err == (
        "seed 1 stops here: wrong 1: correct it\nseed 2 stops here: wrong 2: correct it\n"
    )
    with pytest.raises(UserError, match="^seed 1: wrong 1: correct it; seed 2: wrong 2: correct"):
        failures.check()


def test_one_that_is_alone_fails_as_ever(capsys):
    failures = Failures(alone=True)
    with pytest.raises(UserError, match="^wrong$"), failures.of(0):
        raise UserError("wrong")
    failures.check()
    assert not capsys.readouterr().err


def test_bugs_and_signals_pass():
    with pytest.raises(ZeroDivisionError), Failures().of(0):
        raise ZeroDivisionError
