"""Command lines of the programs without a configuration: argparse, with mistakes in a sentence."""

import argparse
import json
import math
from collections.abc import Callable
from typing import Any, NoReturn

from harness.errors import UserError


class Flags(argparse.ArgumentParser):
    """A parser that raises UserError; its `description` (a module's docstring) is shown as is."""

    #: Files and names may stand on both sides of an option.
    parse_args = argparse.ArgumentParser.parse_intermixed_args

    def __init__(self, description: str | None):
        super().__init__(
            description=description, formatter_class=argparse.RawDescriptionHelpFormatter
        )

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see --help")


def whole_number(low: int, high: int | None = None) -> Callable[[str], int]:
    """A `type` of arguments: whole numbers from `low` to `high`, both included."""
    bounds = f"of at least {low}" if high is None else f"from {low} to {high}"

    def read(text: str) -> int:
        try:
            number = int(text)
        # which has no word for numbers of thousands of digits
        except ValueError:
            number = None
        if number is None or number < low or (high is not None and number > high):
            raise argparse.ArgumentTypeError(f"{text} is no whole number {bounds}")
        return number

    return read


def number(low: float) -> Callable[[str], float]:
    """A `type` of arguments: finite numbers from `low` on."""

    def read(text: str) -> float:
        try:
            found = float(text)
        except ValueError:
            found = math.nan
        if not low <= found < math.inf:
            raise argparse.ArgumentTypeError(f"{text} is no finite number of at least {low:g}")
        return found

    return read


def json_object(text: str) -> dict[str, Any]:
    """A `type` of arguments: names with values, as JSON writes them."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise argparse.ArgumentTypeError(f'{text} is no JSON object such as {{"gravity": 9.8}}')
    return found


#: Seeds feed 32-bit generators.
seed = whole_number(0, 2**32 - 1)
