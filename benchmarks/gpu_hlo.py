"""What a compiled program launches: read from XLA's final instructions and its list of thunks.

Every instruction left after XLA's fusions is one launch on the card. Counted here per loop body,
with the bytes that it must move and the operations of its matrix products.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from benchmarks.hlo_instructions import Computation, Instruction

#: Not worth less: the time between two launches of one graph.
SHORTEST_KERNEL = 2e-6
_FREE = {
    *("parameter", "get-tuple-element", "tuple", "bitcast", "constant", "after-all"),
    *("while", "conditional", "call", "copy-done", "async-done", "opt-barrier"),
}


@dataclass
class Work:
    """Launches of one pass through a computation, without those of loops inside it."""

    launches: Counter[str] = field(default_factory=Counter)
    kernels: list[tuple[float, float]] = field(default_factory=list)

    @property
    def count(self) -> int:
        return self.launches.total()

    @property
    def flop(self) -> float:
        """Of the matrix products."""
        return sum(flop for flop, _ in self.kernels)

    @property
    def bytes(self) -> float:
        """Read and written by kernels; what stays in the cache between two of them counts too."""
        return sum(moved for _, moved in self.kernels)

    def seconds(self, flops: float, bandwidth: float, shortest: float = 0.0) -> float:
        """No kernel faster than its products, its bytes, or `shortest`."""
        return sum(max(f / flops, b / bandwidth, shortest) for f, b in self.kernels)

    def short(self, flops: float, bandwidth: float) -> int:
        """Kernels that need less than `SHORTEST_KERNEL`."""
        return sum(max(f / flops, b / bandwidth) < SHORTEST_KERNEL for f, b in self.kernels)


@dataclass
class Loop:
    """A while loop of the program; `trips` is None where it depends on data."""

    name: str
    source: str
    trips: int | None
    work: Work
    inner: list["Loop"]


class Module:
    """The final instructions of a program."""

    def __init__(self, text: str):
        self._computations: dict[str, Computation] = {}
        self._entry = ""
        computation: Computation = {}
        for line in text.splitlines():
            if line.startswith(("%", "ENTRY")) and line.endswith("{"):
                name = line.removeprefix("ENTRY ").split(" ")[0].lstrip("%")
                computation = self._computations[name] = {}
                self._entry = name if line.startswith("ENTRY") else self._entry
            elif line.startswith(" ") and (instruction := Instruction.parse(line)):
                computation[instruction.name] = instruction
        self._text = text

    @cached_property
    def _frames(self) -> dict[str, str]:
        """Stack frame → "file: function" of our code that the instruction came from."""
        table: dict[str, dict[str, str]] = {}
        header, _, _ = self._text.partition("\n%")
        for block in filter(str.strip, header.split("\n\n")):
            title, *lines = block.strip().splitlines()
            table[title] = dict(line.split(" ", 1) for line in lines)
        if "StackFrames" not in table:
            return {}
        frames = {}
        for frame, text in table["StackFrames"].items():
            location = table["FileLocations"][_number("file_location_id", text)]
            file = table["FileNames"][_number("file_name_id", location)].strip('"')
            function = table["FunctionNames"][_number("function_name_id", location)].strip('"')
            frames[frame] = f"{file.rpartition('/')[2]}: {function.replace('.<locals>', '')}"
        return frames

    def source(self, instruction: Instruction) -> str:
        match = re.search(r"stack_frame_id=(\d+)", instruction.attributes)
        return self._frames.get(match.group(1), "") if match else ""

    @property
    def largest(self) -> int:
        """Elements of the largest array."""
        return max(
            math.prod(sizes)
            for computation in self._computations.values()
            for instruction in computation.values()
            for _, sizes in instruction.shapes
        )

    def program(self) -> tuple[Work, list[Loop]]:
        """What runs once, and the loops."""
        return self._work(self._entry)

    def _work(self, name: str) -> tuple[Work, list[Loop]]:
        computation, work, loops = self._computations[name], Work(), []
        for instruction in computation.values():
            if instruction.opcode == "while":
                trips = re.search(r'known_trip_count":\{"n":"(\d+)"', instruction.attributes)
                body, inner = self._work(instruction.called("body"))
                condition, _ = self._work(instruction.called("condition"))
                body.launches += condition.launches
                body.kernels += condition.kernels
                loops.append(
                    Loop(
                        name=instruction.name,
                        source=self.source(instruction),
                        trips=int(trips.group(1)) if trips else None,
                        work=body,
                        inner=inner,
                    )
                )
            elif instruction.opcode in ("call", "async-start"):
                kind = "to_apply" if instruction.opcode == "call" else "calls"
                called, inner = self._work(instruction.called(kind))
                work.launches += called.launches
                work.kernels += called.kernels
                loops += inner
            elif instruction.opcode not in _FREE:
                work.launches[self.source(instruction)] += 1
                work.kernels.append(
                    (self._flop(instruction, computation), self._bytes(instruction, computation))
                )
        return work, loops

    def _flop(self, instruction: Instruction, computation: Computation) -> float:
        """Two per multiplication and addition of the matrix products in it."""
        if instruction.opcode == "fusion":
            fused = self._computations[instruction.called("calls")]
            return sum(self._flop(inner, fused) for inner in fused.values())
        if instruction.opcode == "dot":
            text = re.search(r"lhs_contracting_dims=\{([\d,]*)\}", instruction.attributes)
            contracted = [int(n) for n in text.group(1).split(",")] if text else []
        elif "__cublas" in instruction.attributes:
            text = re.search(r"backend_config=(\{.*\})", instruction.attributes)
            assert text is not None
            gemm = json.loads(text.group(1))["gemm_backend_config"]
            contracted = map(int, gemm["dot_dimension_numbers"]["lhs_contracting_dimensions"])
        else:
            return 0.0
        left = computation[instruction.operands[0]].shapes[0][1]
        return 2.0 * math.prod(instruction.shapes[0][1]) * math.prod(left[n] for n in contracted)

    def _bytes(self, instruction: Instruction, computation: Computation) -> float:
        """Operands and result; of an array that is only looked up in, the rows looked up."""
        if instruction.opcode != "fusion":
            # a product's second result is workspace
            width, sizes = instruction.shapes[0]
            operands = {computation[name].size for name in instruction.operands}
            return width * math.prod(sizes) + sum(operands)
        fused = self._computations[instruction.called("calls")]
        users: dict[str, list[Instruction]] = {}
        for inner in fused.values():
            for operand in inner.operands:
                users.setdefault(operand, []).append(inner)
        moved = float(instruction.size)
        for inner in fused.values():
            if inner.opcode == "parameter":
                moved += self._read(inner, users.get(inner.name, []), fused)
            elif inner.opcode in ("dynamic-update-slice", "scatter"):
                # written in place: only the update moves
                updates = inner.operands[1 if inner.opcode == "dynamic-update-slice" else -1]
                moved -= inner.size - fused[updates].size
        return max(moved, 0.0)

    @staticmethod
    def _read(parameter: Instruction, users: list[Instruction], fused: Computation) -> float:
        looked_up = 0
        for user in users:
            if user.opcode in ("gather", "dynamic-slice") and user.operands[0] == parameter.name:
                looked_up += user.size
            elif (
                user.opcode in ("dynamic-update-slice", "scatter")
                and user.operands[0] == parameter.name
            ):
                continue
            else:
                return parameter.size
        return min(looked_up, parameter.size)


def loops_outside_graphs(thunks: str) -> int:
    """Loops that the host has to run, asking the card at each turn whether to go on."""
    outside, graph_indent = 0, None
    for line in thunks.splitlines():
        match = re.match(r"( *)\d+: (k\w+)", line)
        if match is None:
            continue
        indent, kind = len(match.group(1)), match.group(2)
        if graph_indent is not None and indent <= graph_indent:
            graph_indent = None
        if graph_indent is None:
            outside += kind == "kWhile"
            graph_indent = indent if kind == "kCommandBuffer" else None
    return outside


def every_loop(loops: list[Loop]) -> Iterator[Loop]:
    """Loops, and those inside them."""
    for loop in loops:
        yield loop
        yield from every_loop(loop.inner)


def _number(name: str, text: str) -> str:
    match = re.search(rf"{name}=(\d+)", text)
    assert match is not None, text
    return match.group(1)
