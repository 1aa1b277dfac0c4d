"""How a schema field states its default, its range and its choices in one line."""

import re
from collections.abc import Callable, Collection
from dataclasses import Field, dataclass, field
from typing import Any

_INTERVAL = re.compile(r"([\[(])(\S+), (\S+)([\])])")


@dataclass(frozen=True)
class Interval:
    """A range of numbers written as in mathematics, such as "(0, 1]"."""

    text: str

    def contains(self, number: float) -> bool:
        match = _INTERVAL.fullmatch(self.text)
        assert match is not None, self.text
        left, low, high, right = match.groups()
        above = number >= float(low) if left == "[" else number > float(low)
        below = number <= float(high) if right == "]" else number < float(high)
        return above and below


def number(default: Any, interval: str) -> Any:
    """A numeric field that `validate` holds to `interval`; None, where allowed, always passes."""
    return field(default=default, metadata={"interval": Interval(interval)})


def count(default: Any) -> Any:
    """A whole number of things, at least one."""
    return number(default, "[1, inf)")


def choice(default: Any, *options: str) -> Any:
    """A text field that takes one of a few words."""
    return choice_from(default, lambda: (default, *options))


def choice_from(default: str, names: Callable[[], Collection[str]]) -> Any:
    """A text field that takes one of `names()`, called when a value is checked.

    The names are mostly a table's of the catalogue, which may need JAX: a schema does not.
    """
    return field(default=default, metadata={"names": names})


def interval_of(a_field: Field) -> Interval | None:
    return a_field.metadata.get("interval")


def names_of(a_field: Field) -> Callable[[], Collection[str]] | None:
    return a_field.metadata.get("names")
