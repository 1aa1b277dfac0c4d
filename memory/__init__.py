"""The agent's memory: a resettable diagonal linear recurrence and the LRU built on it; a GRU."""

from memory.abstract import AbstractMemory as AbstractMemory
from memory.abstract import MemorySettings as MemorySettings
from memory.gru import GRUStack as GRUStack
from memory.lru import LRU as LRU
from memory.lru import LRUStack as LRUStack
from memory.recurrence import recurrence as recurrence
