"""Where the time of the hot loops goes on a CPU: matrix products, or what lies between them.

    taskset -c 0 python benchmarks/cpu_profile.py [update] [ensemble] [imagine]

The loops of published_sizes.py, once under JAX's profiler. On one core (taskset) the times of a
program's parts add up to the whole. On several, two parts may run at once and one part on several
cores: their sum over the whole says how many parts ran at once. `product` is the share of a 2048³
float32 product's speed, on the same cores, that the loop's own products would reach one by one.
"""

import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import published_sizes
from jax.profiler import ProfileData
from timing import seconds

#: How XLA names the parts of a program in which its libraries multiply matrices.
PRODUCTS = ("dot", "ynn_fusion", "xnn_fusion")


def part_seconds(run: Callable[[], Any]) -> tuple[float, Counter[str]]:
    """Seconds of `run`, and of every part of the programs that it starts, by XLA's names."""
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            whole = seconds(run)
        (file,) = Path(folder).rglob("*.xplane.pb")
        data = ProfileData.from_file(str(file))
    parts: Counter[str] = Counter()
    for plane in data.planes:
        for line in plane.lines:
            # beside Python's calls and the runtime's own events, which contain them
            if line.name.startswith("tf_XLAEigen"):
                for event in line.events:
                    if not event.name.startswith(("ThunkExecutor", "while", "call", "condition")):
                        parts[event.name] += event.duration_ns / 1e9
    return whole, parts


def report(name: str, gflop: float | None, units: int, run: Callable[[], Any]) -> None:
    """What `published_sizes.report` times, taken apart."""
    jax.block_until_ready(run())
    whole, parts = part_seconds(run)
    products = sum(s for part, s in parts.items() if part.startswith(PRODUCTS)) / units
    rest = parts.total() / units - products
    print(f"{name}: {products * 1e3:.3g} ms in products, {rest * 1e3:.3g} ms in the rest,", end="")
    at_once = parts.total() / whole
    print(f" {whole / units * 1e3:.3g} ms in all, {at_once:.2f} parts at once", end="")
    if gflop is not None:
        peak = 2 * 2048**3 / published_sizes.peak_seconds()
        print(f"; product {gflop * 1e9 / products / peak:.0%} of {peak / 1e9:.0f} GFLOP/s", end="")
    print()
    others = Counter({part: s for part, s in parts.items() if not part.startswith(PRODUCTS)})
    for part, spent in others.most_common(6):
        print(f"    {spent / units * 1e3:7.2f} ms  {part}")


def main() -> None:
    published_sizes.report = report
    for loop in sys.argv[1:] or ("update", "ensemble", "imagine"):
        getattr(published_sizes, loop)()


if __name__ == "__main__":
    main()
