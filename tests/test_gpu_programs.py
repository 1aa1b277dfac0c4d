"""What the hot programs ask of a graphics card, pinned so that it cannot creep up.

Counted at the published sizes of hopper-medium-v2 by compiling for an H100 without one
(docs/performance.md); `make test-slow` installs the compiler.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
#: A new version of XLA may fuse a little differently.
TOLERANCE = 1.03


@dataclass(frozen=True)
class Pin:
    """Most launches and GB of one turn of the loop that matters, loops of the program, bytes."""

    loop: str
    launches: int
    gigabytes: float
    loops: int
    temporary_bytes: int
    aliased_bytes: int
    #: that CUDA graphs cannot hold, as the default flags are
    outside_graphs: int | None = None


PINS = {
    "update": Pin("updates.py", 348, 2.49, 1, 192_000_000, 37_893_388, 1),
    # three seeds in 1.05 times the launches of one
    "update_side_by_side": Pin("updates.py", 366, 7.50, 1, 627_000_000, 113_680_164),
    "fit_epoch": Pin("fit.py: fit_epoch.several", 59, 2.21, 3, 310_000_000, 266_289_676, 3),
    "collection": Pin("collector.py: roll_out", 49, 0.200, 2, 34_000_000, 0, 2),
    "add": Pin("replay.py", 4, 1e-6, 1, 600, 2_680_000_416),
}
#: A sample from the replay, a member's batch and an imagined step are straight lines.
INNERMOST = ("update", "update_side_by_side", "fit_epoch", "collection")


pytestmark = pytest.mark.slow


def counted(program: str, folder: Path, *options: str) -> dict[str, Any]:
    """The program's figures with these options of the benchmark."""
    file = folder / "figures.json"
    command = [sys.executable, "benchmarks/gpu_programs.py", "--cards", "h100"]
    result = subprocess.run(
        [*command, "--programs", program, "--sources", "--json", str(file), *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if "is not installed" in result.stderr:
        pytest.skip(result.stderr.strip())
    assert result.returncode == 0, result.stderr
    (figures,) = json.loads(file.read_text())
    return figures


def pinned_loop(program: str, figures: dict[str, Any]) -> dict[str, Any]:
    """The figures of the loop that matters."""
    loops = figures["loops"]
    (loop,) = (loop for loop in loops if loop["name"].startswith(PINS[program].loop))
    return loop


@pytest.mark.parametrize("program", PINS)
def test_launches_loops_and_memory_do_not_creep_up(program, tmp_path):
    figures, pin = counted(program, tmp_path), PINS[program]
    loop = pinned_loop(program, figures)
    assert loop["launches"] <= pin.launches * TOLERANCE, loop["sources"]
    assert loop["gigabytes"] <= pin.gigabytes * TOLERANCE
    assert len(figures["loops"]) == pin.loops
    assert figures["temporary_bytes"] <= pin.temporary_bytes * TOLERANCE
    assert figures["aliased_bytes"] >= pin.aliased_bytes
    assert figures["largest_array"] < 2**31
    if program in INNERMOST:
        assert loop["inner_loops"] == 0
    if pin.outside_graphs is not None:
        assert figures["loops_outside_graphs"] == pin.outside_graphs


def test_a_change_of_many_kernels_would_not_pass(tmp_path):
    """The memory's other scan, which is a tree of small kernels in place of one loop's."""
    figures = counted("update", tmp_path, "train.memory_scan=associative")
    launches = sum(loop["launches"] for loop in figures["loops"])
    assert launches > PINS["update"].launches * TOLERANCE


@pytest.mark.parametrize("program", ["fit_epoch", "collection"])
def test_graphs_may_hold_the_loops(program, tmp_path):
    assert counted(program, tmp_path, "--loops-in-graphs")["loops_outside_graphs"] == 0
