"""Compile for a graphics card on a machine that has none, and list what it would be asked to do.

Needs the packages of the extra `gpu-check`: XLA's compiler for CUDA and NVIDIA's `ptxas`, found
among the installed packages or where `make gpu-check` puts them. Import this before JAX.
"""

import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

ROOT = Path(__file__).resolve().parents[1]
#: Apart from other packages: a JAX that finds the plugin but no card complains at each start.
TOOLS = ROOT / ".cache" / "gpu-check"


class NotInstalled(Exception):
    """Says what is missing and how to get it."""


def prepare(*, loops_in_graphs: bool = False) -> None:
    """Makes the compiler for CUDA known to this process; raises NotInstalled.

    `loops_in_graphs` lets XLA put whole loops into CUDA graphs.
    """
    if TOOLS.exists():
        sys.path.append(str(TOOLS))
    compilers = [Path(folder or ".") / "nvidia" / "cuda_nvcc" for folder in sys.path]
    found = [folder for folder in compilers if (folder / "bin" / "ptxas").exists()]
    plugins = [folder for folder in sys.path if (Path(folder) / "jax_plugins").exists()]
    if not found or not plugins:
        raise NotInstalled(
            "XLA's compiler for CUDA is not installed: run `make gpu-check` (250 MB), or"
            " `pip install -e .[gpu-check]`"
        )
    os.environ["JAX_PLATFORMS"] = "cpu"
    # what is compiled here cannot be loaded here
    os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "false"
    os.environ["PATH"] = f"{found[0] / 'bin'}{os.pathsep}{os.environ['PATH']}"
    flags = os.environ.get("XLA_FLAGS", "")
    # Triton's products are chosen by timing them on the card, which is not there
    ours = f"--xla_gpu_cuda_data_dir={found[0]} --xla_gpu_enable_triton_gemm=false"
    if loops_in_graphs:
        ours += " --xla_gpu_enable_command_buffer=+WHILE"
    os.environ["XLA_FLAGS"] = f"{flags} {ours}".strip()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@dataclass(frozen=True)
class Program:
    """A program compiled for a card: its final instructions, its launches, its memory."""

    hlo: str
    thunks: str
    argument_bytes: int
    temporary_bytes: int
    aliased_bytes: int
    output_bytes: int


def beside_a_card() -> AbstractContextManager:
    """Set up and traced inside it, a program is what it would be beside a card: some forms are the
    backend's."""
    import jax

    return patch.object(jax, "default_backend", lambda: "gpu")


def compile_for(target: str, function: Callable, frozen: Any, donated: Any) -> Program:
    """`function(frozen, donated)` for the card that `target` describes.

    Arrays may be given as `jax.ShapeDtypeStruct`s: nothing is computed.
    """
    import equinox as eqx
    import jax
    from jax.experimental.topologies import get_topology_desc
    from jax.sharding import SingleDeviceSharding

    (device,) = get_topology_desc(platform="cuda", target_config=target, topology="1x1x1").devices
    sharding = SingleDeviceSharding(device)

    def is_array(leaf):
        return isinstance(leaf, jax.Array | jax.ShapeDtypeStruct)

    def placed(tree):
        return jax.tree.map(
            lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=sharding), tree
        )

    (frozen, frozen_rest), (donated, donated_rest) = (
        eqx.partition(tree, is_array) for tree in (frozen, donated)
    )

    def pure(frozen, donated):
        result = function(eqx.combine(frozen, frozen_rest), eqx.combine(donated, donated_rest))
        return eqx.filter(result, is_array)

    with beside_a_card():
        lowered = jax.jit(pure, donate_argnums=1).lower(placed(frozen), placed(donated))
    with tempfile.TemporaryDirectory() as folder:
        compiled = lowered.compile({"xla_dump_to": folder})
        dumps = sorted(Path(folder).glob("*.thunk_sequence*.txt"))
        # the list after XLA has put launches into graphs, if any fit into one
        (listing,) = [path for path in dumps if "after_thunk_passes" in path.name] or dumps
        thunks = listing.read_text()
    memory, hlo = compiled.memory_analysis(), compiled.as_text()
    assert memory is not None and hlo is not None
    return Program(
        hlo=hlo,
        thunks=thunks,
        argument_bytes=memory.argument_size_in_bytes,
        temporary_bytes=memory.temp_size_in_bytes,
        aliased_bytes=memory.alias_size_in_bytes,
        output_bytes=memory.output_size_in_bytes,
    )
