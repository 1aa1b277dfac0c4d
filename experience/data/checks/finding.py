"""What a check says about a dataset."""

from dataclasses import dataclass
from enum import Enum, auto

import numpy as np
from jaxtyping import Bool

#: Rows that a finding names: enough to look at, few enough to read.
NAMED_ROWS = 5


class Problem(Enum):
    """The kinds of findings; `verdict` says which of them end a program."""

    UNRELATED_NEXT = auto()
    UNMARKED_ENDS = auto()
    SHIFTED_ENDS = auto()
    OVERWRITTEN_ENDS = auto()
    JOINED_ENDS = auto()
    JUMPS = auto()
    NO_ENDS = auto()
    ENDS_EVERYWHERE = auto()
    ROWS_BEYOND_HORIZON = auto()
    TIME_LIMITS_AS_TERMINALS = auto()
    SHORTER_TIME_LIMIT = auto()
    BOTH_FLAGS = auto()
    UNKNOWN_FINAL_STATES = auto()
    ACTIONS_OUTSIDE = auto()
    ACTIONS_CLIPPED = auto()
    ACTIONS_UNSCALED = auto()
    RULE_DENIES_TERMINALS = auto()
    RULE_ENDS_MOST_ROWS = auto()
    RULE_DIFFERS = auto()
    RULE_NOT_COMPARED = auto()
    OTHER_ENVIRONMENT = auto()


@dataclass(frozen=True)
class Finding:
    """One thing that the owner of a dataset should know.

    `said` states it with its counts, first rows and likely cause; `remedy` says what to do.
    """

    problem: Problem
    said: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.said}; {self.remedy}" if self.remedy else self.said


def counted(mask: Bool[np.ndarray, " row"], of: int | None = None, what: str = "rows") -> str:
    """The set rows in words, such as "3 of 1,000 rows (first 7, 8, 9)"."""
    rows = np.flatnonzero(mask)
    of = len(mask) if of is None else of
    first = ", ".join(str(row) for row in rows[:NAMED_ROWS])
    named = "row" if len(rows) == 1 else "rows" if len(rows) <= NAMED_ROWS else "first"
    return f"{len(rows):,} of {of:,} {what} ({named} {first})"
