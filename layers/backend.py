"""Where programs will run: some forms suit a processor, others a graphics card."""

import jax


def on_cpu() -> bool:
    """Whether what is traced now is for a processor: JAX's default backend decides."""
    return jax.default_backend() == "cpu"
