"""Strict numerics for every test, and a compilation cache shared by all of them."""

import os
import signal
from pathlib import Path

# before jax is imported: the cache is shared with the programs that the tests start
CACHE = Path(__file__).parents[1] / ".cache" / "jax"
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(CACHE))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
# a card is shared by the tests' processes
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
    # nohup's, which programs that tests start would inherit, and wait for ever for a lost terminal
    signal.signal(signal.SIGHUP, lambda number, frame: None)

import itertools  # noqa: E402

import jax  # noqa: E402
import pytest  # noqa: E402

from tests import golden_map  # noqa: E402
from tests.cli import in_process  # noqa: E402

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
if jax.default_backend() != "cpu":
    # the published numbers are float32's, which TF32 misses; programs that tests start inherit it
    os.environ["JAX_DEFAULT_MATMUL_PRECISION"] = "highest"
    jax.config.update("jax_default_matmul_precision", "highest")


def pytest_addoption(parser):
    parser.addoption(
        "--processes",
        action="store_true",
        help="start every program as a process of its own, also where a test calls it in its own",
    )


def pytest_configure(config):
    in_process.as_processes = config.getoption("--processes")


def pytest_collection_modifyitems(items):
    for item in items:
        if any(value is golden_map for value in vars(item.module).values()):
            item.add_marker("golden")


@pytest.fixture
def getkey():
    """A function that gives a new random key at each call."""
    counter = itertools.count()
    return lambda: jax.random.key(next(counter))
