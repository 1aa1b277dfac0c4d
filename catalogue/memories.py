"""The kinds of memory that an agent can have, and the ways to run a linear one."""

from typing import get_args

from memory.abstract import AbstractMemory
from memory.gru import GRUStack
from memory.lru import LRUStack
from memory.recurrence import Strategy

#: `model.memory.kind` → a class that is built as kind(settings, key=key).
MEMORIES: dict[str, type[AbstractMemory]] = {"lru": LRUStack, "gru": GRUStack}

#: `train.memory_scan`.
STRATEGIES: tuple[str, ...] = get_args(Strategy)
