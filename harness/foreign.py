"""The border to a user's own code, which may raise anything."""

import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from harness.errors import UserError

# What is installed: nothing there is a user's to correct.
_INSTALLED = tuple(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib"))


@contextmanager
def foreign_code(what: str, *said_elsewhere: type[Exception]) -> Iterator[None]:
    """Says in one sentence (UserError) what `what`, a user's code, raised, and where; errors that
    are `said_elsewhere` pass."""
    try:
        yield
    except (UserError, *said_elsewhere):
        raise
    # the only kind of code of which nothing is known; it may also give up with a sys.exit
    except (Exception, SystemExit) as error:
        place = _place(error)
        reason = " ".join(str(error).split())
        raise UserError(
            f"{what} raised {type(error).__name__}{f' ({reason})' if reason else ''} in"
            f" {place.filename}, line {place.lineno}: correct it there"
        ) from error


def _place(error: BaseException) -> traceback.FrameSummary:
    """Where the user's code was when it raised, by itself or in a library that it called."""
    # the first two frames are this border's and its caller's
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames[2:] if not frame.filename.startswith((*_INSTALLED, "<"))]
    return (own or frames)[-1]
