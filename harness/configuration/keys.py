"""Dotted keys of nested groups: `train.lr` is the key `lr` in the group `train`."""

from collections.abc import Collection
from typing import Any


def within(key: str, keys: Collection[str]) -> bool:
    """Whether a dotted key is one of `keys` or in a group of them."""
    return any(key == other or key.startswith(f"{other}.") for other in keys)


def flat(group: Any, prefix: str = "") -> dict[str, Any]:
    """Nested groups as dotted keys; an empty group keeps its own key."""
    found = {}
    for name, value in group.items():
        if isinstance(value, dict) and value:
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[prefix + str(name)] = value
    return found
