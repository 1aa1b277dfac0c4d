"""The one exception for mistakes a user can correct."""


class UserError(ValueError):
    """A mistake in the user's input, said in one sentence: what, where, and what to do.

    Entry points print it without a traceback and exit with code 2.
    """


def first_line(error: Exception) -> str:
    """What another's error says, in a form that a sentence can hold."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".")


class LostDirectoryError(UserError):
    """Nothing can be written any more where the work is kept; what is in memory may be rescued."""
