"""How much of everything a run does, and when it evaluates."""

from dataclasses import dataclass

#: Updates in one dispatch, and so in one logged row, are at least this many, and few enough for
#: this many rows. Numbers, not times: the rows of a run must not depend on the machine's speed, nor
#: on where the run was interrupted.
SMALLEST_DISPATCH, MOST_ROWS = 32, 20_000


@dataclass(frozen=True)
class Schedule:
    """How much of everything: `total` updates, `utd` updates per new transition, evaluations."""

    total: int
    utd: float
    eval_times: int

    @property
    def dispatch(self) -> int:
        """Updates in one dispatch."""
        return max(SMALLEST_DISPATCH, self.total // MOST_ROWS)

    @property
    def evaluation_interval(self) -> int:
        """Updates from one evaluation to the next."""
        return max(self.total // self.eval_times, 1)

    def evaluation_due(self, updates: int, evaluated: int) -> bool:
        """Before training, whenever another 1/eval_times of it is done, and at the end (eq. 49)."""
        every = self.evaluation_interval
        if evaluated < 0 or updates >= self.total > evaluated:
            return True
        return updates // every > evaluated // every
