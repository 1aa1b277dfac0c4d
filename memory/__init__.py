"""The agent's memory: a resettable diagonal linear recurrence and the LRU built on it."""

from memory.lru import LRU as LRU
from memory.lru import LRUStack as LRUStack
from memory.recurrence import recurrence as recurrence
