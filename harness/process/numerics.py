"""Settings of XLA that a configuration chooses: made once, before anything is compiled."""

import os
import sys
from typing import Any

from harness.errors import UserError

_FLAG = "--xla_gpu_enable_command_buffer"
#: `gpu.command_buffer` → what is added to XLA_FLAGS.
COMMAND_BUFFERS = {"default": None, "loops": f"{_FLAG}=+WHILE", "off": f"{_FLAG}="}
#: What the environment says of the precision of products, before any configuration did.
_PRECISION = "JAX_DEFAULT_MATMUL_PRECISION"
_SETTING = "jax_default_matmul_precision"
#: What this process's flags were chosen by.
_chosen: str | None = None


def configure_numerics(config: Any) -> None:
    """Applies `gpu.command_buffer` and `train.matmul_precision` to this process.

    Nothing of the user's XLA_FLAGS is taken away. UserError if they contradict the key, or if it
    comes too late: XLA reads its flags once in a process.
    """
    _choose_graphs(config.gpu.command_buffer)
    precision = config.train.matmul_precision
    # JAX takes a second to import, which a command that is wrong need not wait for
    if precision != "default" or "jax" in sys.modules:
        import jax

        given = os.environ.get(_PRECISION) if precision == "default" else precision
        jax.config.update(_SETTING, given)


def describe_numerics() -> dict[str, Any]:
    """For environment.json, and for the keys of what is kept of computed numbers."""
    import jax

    return {
        "matmul_precision": getattr(jax.config, _SETTING) or "default",
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
    }


def numerics_key() -> str:
    """What numbers depend on besides their program: the kind of device and the precision."""
    import jax

    return f"{jax.devices()[0].device_kind}, {describe_numerics()['matmul_precision']}"


def _choose_graphs(choice: str) -> None:
    global _chosen
    if _chosen not in (None, choice):
        raise UserError(
            f"gpu.command_buffer={choice} comes too late after {_chosen}, XLA has read its flags:"
            " start one program for each value (a sweep's jobs share a process)"
        )
    flag, flags = COMMAND_BUFFERS[choice], os.environ.get("XLA_FLAGS", "")
    if flag is not None and flag not in flags.split():
        if _FLAG in flags:
            raise UserError(
                f"gpu.command_buffer={choice} contradicts the environment's XLA_FLAGS={flags}:"
                " leave one of the two out"
            )
        os.environ["XLA_FLAGS"] = f"{flags} {flag}".strip()
    _chosen = choice
