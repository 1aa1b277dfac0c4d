"""What a configuration chooses of XLA: flags are added, never replaced; both are recorded."""

import os
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import pytest

from harness.errors import UserError
from harness.process import numerics


def settings(command_buffer="default", matmul_precision="default"):
    return SimpleNamespace(
        gpu=SimpleNamespace(command_buffer=command_buffer),
        train=SimpleNamespace(matmul_precision=matmul_precision),
    )


@pytest.fixture(autouse=True)
def a_process_of_its_own(monkeypatch):
    monkeypatch.setattr(numerics, "_chosen", None)
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_to=there")
    monkeypatch.delenv("JAX_DEFAULT_MATMUL_PRECISION", raising=False)
    before = jax.config.jax_default_matmul_precision
    yield
    jax.config.update("jax_default_matmul_precision", before)


def test_loops_in_graphs_leave_the_users_flags_alone():
    numerics.configure_numerics(settings("loops"))
    numerics.configure_numerics(settings("loops"))
    expected = "--xla_dump_to=there --xla_gpu_enable_command_buffer=+WHILE"
    assert os.environ["XLA_FLAGS"] == expected
    assert numerics.describe_numerics()["xla_flags"] == expected


def test_the_default_adds_nothing():
    numerics.configure_numerics(settings())
    assert os.environ["XLA_FLAGS"] == "--xla_dump_to=there"


def test_what_the_environment_says_otherwise_is_a_mistake(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_gpu_enable_command_buffer=FUSION")
    with pytest.raises(UserError, match="contradicts"):
        numerics.configure_numerics(settings("loops"))
    numerics.configure_numerics(settings())


@pytest.mark.parametrize("order", [("loops", "default"), ("default", "off")])
def test_a_second_choice_in_one_process_is_refused(order):
    first, second = order
    numerics.configure_numerics(settings(first))
    with pytest.raises(UserError, match="too late"):
        numerics.configure_numerics(settings(second))


def test_the_precision_reaches_the_products_and_what_is_kept():
    def product():
        return str(jax.make_jaxpr(lambda x: x @ x)(jnp.eye(2)))

    numerics.configure_numerics(settings())
    plain, plain_key = product(), numerics.numerics_key()
    numerics.configure_numerics(settings(matmul_precision="highest"))
    assert "HIGHEST" in product() and "HIGHEST" not in plain
    assert numerics.numerics_key() != plain_key
    assert numerics.describe_numerics()["matmul_precision"] == "highest"
    numerics.configure_numerics(settings())
    assert product() == plain


def test_the_environments_precision_is_the_default(monkeypatch):
    monkeypatch.setenv("JAX_DEFAULT_MATMUL_PRECISION", "highest")
    numerics.configure_numerics(settings())
    assert numerics.describe_numerics()["matmul_precision"] == "highest"
