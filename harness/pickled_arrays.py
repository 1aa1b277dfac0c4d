"""The arrays in a pickle, read without running anything that the pickle asks for.

A pickle may call any function that it names. Here the names that an array is made of are answered
with stand-ins, which only keep what they were given, and every other name is refused. The arrays
are then built from the kept bytes, so that not even NumPy's own code sees an unchecked value.
"""

import io
import pickle
import pickletools
import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

_NAMES = re.compile(
    r"numpy\.(ndarray|dtype)"
    r"|numpy\.(core|_core)\.(multiarray\.(_reconstruct|scalar)|numeric\._frombuffer)"
    # how the oldest protocols write bytes
    r"|_codecs\.encode|__builtin__\.bytes"
)
_NUMBERS = re.compile(r"b1|[iu][1248]|f[248]")
# all that a damaged or an ill-meant pickle was seen to raise
_UNREADABLE = (
    pickle.UnpicklingError,
    EOFError,
    OSError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    OverflowError,
    MemoryError,
    RecursionError,
)


class NotPlainArraysError(ValueError):
    """The file is no pickle, is damaged or holds something else than arrays of numbers."""


def read_pickled_arrays(path: Path) -> Any:
    """What the pickle holds: arrays of numbers and plain Python values, in dicts, lists and tuples.

    Raises NotPlainArraysError, which says what else was found.
    """
    try:
        content = path.read_bytes()
        _check_sizes(content)
        return _plain(_Unpickler(io.BytesIO(content)).load())
    except _UNREADABLE as error:
        raise NotPlainArraysError(str(error) or type(error).__name__) from error


def _check_sizes(content: bytes) -> None:
    """Refuses what claims to be longer than the file: Python would reserve memory for it first."""
    for opcode, argument, _ in pickletools.genops(content):
        if opcode.name.endswith("PUT") and (argument or 0) > len(content):
            raise ValueError(f"it claims to have {argument} parts")


class _Call:
    """A call that the pickle asked for: kept, not made."""

    def __init__(self, name: str, *arguments: Any):
        self.name, self.arguments, self.state = name, arguments, ()

    def __setstate__(self, state: Any):
        self.state = state


class _Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if not _NAMES.fullmatch(f"{module}.{name}"):
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        # a new one each time: a pickle can change the attributes of what it gets
        return partial(_Call, name)


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {_plain(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return type(value)(map(_plain, value))
        case _Call(name="_reconstruct", state=(_, shape, dtype, fortran, data)):
            return _array(data, dtype, shape, "F" if fortran else "C")
        case _Call(name="_frombuffer", arguments=(data, dtype, shape, order)):
            return _array(data, dtype, shape, order)
        case _Call(name="scalar", arguments=(dtype, data)):
            return _array(data, dtype, (), "C")[()]
        case _Call(name="encode", arguments=(str(text), "latin1")):
            return text.encode("latin1")
        case _Call(name="bytes", arguments=()):
            return b""
        case None | bool() | int() | float() | str() | bytes() | bytearray():
            return value
    raise ValueError(f"it holds {type(value).__name__} objects")


def _array(data: Any, dtype: Any, shape: Any, order: str) -> np.ndarray:
    match dtype:
        case _Call(name="dtype", arguments=(str(kind), *_), state=(_, str(byte_order), *_)):
            if _NUMBERS.fullmatch(kind) and byte_order in ("<", ">", "|", "="):
                array = np.frombuffer(_plain(data), byte_order + kind)
                return array.reshape(shape, order="F" if order == "F" else "C")
    raise ValueError("it holds arrays of something else than numbers")
