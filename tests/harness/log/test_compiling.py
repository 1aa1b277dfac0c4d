"""A compilation that takes long is told, one that does not is not, and a long run is none."""

import re
import time

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest

from harness.log.compiling import announced


@eqx.filter_jit
def slow_to_trace(x):
    time.sleep(0.3)
    return x + 1


@eqx.filter_jit
def slow_to_run(x):
    return jax.lax.fori_loop(0, 100, lambda _, x: jnp.tanh(x @ x), x)


def test_tells_once_and_how_long(capsys):
    add_one = announced("the sum", slow_to_trace, patience=0.05)
    add_one(jnp.zeros(3))
    add_one(jnp.zeros(4))
    first, second = capsys.readouterr().out.splitlines()
    assert first == "compiling the sum: once, about a minute on a GPU …"
    assert re.fullmatch(r"compiled the sum in \d+ s", second)


def test_a_short_compilation_is_not_worth_a_line(capsys):
    announced("the loop", slow_to_run, patience=60.0)(jnp.eye(3))
    assert capsys.readouterr().out == ""


def test_an_error_leaves_no_listener_behind(capsys):
    @eqx.filter_jit
    def broken(x):
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        announced("nothing", broken, patience=60.0)(jnp.zeros(1))
    time.sleep(0.05)
    assert capsys.readouterr().out == ""
