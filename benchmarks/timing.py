"""How long a call takes, its arrays included."""

import time
from collections.abc import Callable
from typing import Any

import jax


def seconds(function: Callable[[], Any]) -> float:
    began = time.perf_counter()
    jax.block_until_ready(function())
    return time.perf_counter() - began


def timed(function: Callable[[], Any], times: int = 3) -> dict[str, float]:
    """The first call, compilation included, and the best of the others, in seconds."""
    return {"first": seconds(function), "best": min(seconds(function) for _ in range(times))}
