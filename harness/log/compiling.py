"""Says so when a compilation keeps the user waiting."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

#: Seconds after which a compilation is worth a line.
PATIENCE = 5.0

P = ParamSpec("P")
Result = TypeVar("Result")


def announced(
    what: str, compiled: Callable[P, Result], *, patience: float | None = None
) -> Callable[P, Result]:
    """`compiled`, a jitted function, whose first call says that `what` is being compiled.

    Only if that takes more than `patience` seconds (PATIENCE); and how long it took. A compilation
    that is found in JAX's cache is not worth a line.
    """
    name = f"jit({compiled.__name__})"
    is_first = True

    @wraps(compiled)
    def call(*arguments: P.args, **named: P.kwargs) -> Result:
        nonlocal is_first
        if not is_first:
            return compiled(*arguments, **named)
        is_first = False
        with _watched(what, name, PATIENCE if patience is None else patience):
            return compiled(*arguments, **named)

    return call


@contextmanager
def _watched(what: str, name: str, patience: float) -> Iterator[None]:
    """Waits for JAX's report that the function `name` is compiled, and speaks when it is late."""
    import jax.monitoring

    began, is_compiled, is_told = time.monotonic(), threading.Event(), threading.Event()

    def speak() -> None:
        if not is_compiled.is_set():
            is_told.set()
            print(f"compiling {what}: once, about a minute on a GPU …", flush=True)

    def on_duration(event: str, duration_secs: float, **kwargs: str | int) -> None:
        if event.endswith("backend_compile_duration") and kwargs.get("fun_name") == name:
            is_compiled.set()
            if is_told.is_set():
                print(f"compiled {what} in {time.monotonic() - began:.0f} s", flush=True)

    timer = threading.Timer(patience, speak)
    timer.daemon = True
    jax.monitoring.register_event_duration_secs_listener(on_duration)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        jax.monitoring.unregister_event_duration_listener(on_duration)
