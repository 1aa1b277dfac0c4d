"""One line of XLA's final instructions, read."""

import math
import re
from dataclasses import dataclass

_WIDTH = {"pred": 1, "s8": 1, "u8": 1, "bf16": 2, "f16": 2, "s64": 8, "u64": 8, "f64": 8}
_SHAPE = re.compile(r"([a-z]+\d*)\[([\d,]*)\]")
_INSTRUCTION = re.compile(r"\s+(?:ROOT )?%?(\S+) = (.*)")


@dataclass(frozen=True)
class Instruction:
    name: str
    opcode: str
    operands: tuple[str, ...]
    #: (bytes per element, sizes) of every array of the result
    shapes: tuple[tuple[int, tuple[int, ...]], ...]
    attributes: str

    @classmethod
    def parse(cls, line: str) -> "Instruction | None":
        match = _INSTRUCTION.match(line)
        if match is None:
            return None
        name, rest = match.groups()
        end = _closing(rest, 0) + 1 if rest[0] == "(" else rest.index(" ")
        form, rest = rest[:end], rest[end:].lstrip()
        opcode, _, rest = rest.partition("(")
        end = _closing("(" + rest, 0) - 1
        operands = tuple(re.findall(r"%([\w.\-]+)", rest[:end]))
        shapes = tuple(
            (_WIDTH.get(kind, 4), tuple(int(n) for n in sizes.split(",") if n))
            for kind, sizes in _SHAPE.findall(form)
        )
        return cls(
            name=name,
            opcode=opcode,
            operands=operands,
            shapes=shapes,
            attributes=rest[end + 1 :],
        )

    @property
    def size(self) -> int:
        """Bytes of the result."""
        return sum(width * math.prod(sizes) for width, sizes in self.shapes)

    def called(self, kind: str) -> str:
        """The computation that it names as its `kind`: body, condition, calls."""
        match = re.search(rf"\b{kind}=%?([\w.\-]+)", self.attributes)
        assert match is not None, (self.name, kind)
        return match.group(1)


Computation = dict[str, Instruction]


def _closing(text: str, start: int) -> int:
    depth = 0
    for place in range(start, len(text)):
        depth += (text[place] == "(") - (text[place] == ")")
        if depth == 0:
            return place
    raise ValueError(text)
