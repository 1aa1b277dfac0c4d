"""The border to a user's own code, which may raise anything."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from harness.errors import UserError


@contextmanager
def foreign_code(what: str) -> Iterator[None]:
    """Says in one sentence (UserError) what `what`, a user's code, raised, and where."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # the only kind of code of which nothing is known
        place = traceback.extract_tb(error.__traceback__)[-1]
        reason = " ".join(str(error).split())
        raise UserError(
            f"{what} raised {type(error).__name__}{f' ({reason})' if reason else ''} in"
            f" {place.filename}, line {place.lineno}: correct it there"
        ) from error
