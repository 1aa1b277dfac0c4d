"""Several runs in one process: the mistake of one ends neither the others nor in silence."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from harness.errors import UserError


class Failures:
    """The errors of single seeds: told at once, raised when the others have ended.

    Where one is `alone` its error passes as it is.
    """

    def __init__(self, *, alone: bool = False) -> None:
        self._alone = alone
        self._errors: dict[int, UserError] = {}

    def __contains__(self, seed: int) -> bool:
        return seed in self._errors

    @contextmanager
    def of(self, seed: int) -> Iterator[None]:
        """A UserError in the block is this seed's alone."""
        try:
            yield
        except UserError as error:
            if self._alone:
                raise
            self._errors[seed] = error
            print(f"seed {seed} stops here: {error}", file=sys.stderr, flush=True)

    def check(self) -> None:
        """Raises UserError if there are any."""
        if self._errors:
            raise UserError("; ".join(f"seed {seed}: {e}" for seed, e in self._errors.items()))
