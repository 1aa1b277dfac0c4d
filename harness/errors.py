"""The one exception for mistakes a user can correct."""


class UserError(ValueError):
    """A mistake in the user's input, said in one sentence: what, where, and what to do.

    Entry points print it without a traceback and exit with code 2.
    """


class LostDirectoryError(UserError):
    """Nothing can be written any more where the work is kept; what is in memory may be rescued."""
