"""Names that users give and that become parts of paths."""

import re

from harness.errors import UserError

_LONGEST = 200
#: A letter, digit or _ first: then it is neither hidden, nor an option, nor a way to elsewhere.
_SAFE = re.compile(r"\w[\w.=,+@: -]*")


def checked_name(key: str, name: str) -> str:
    """`name` if it can be one folder's or file's name on any system; UserError if not.

    It is refused and not rewritten: two names must never become one.
    """
    if len(name.encode()) <= _LONGEST and _SAFE.fullmatch(name):
        return name
    shown = name if len(name) <= 40 else f"{name[:40]}…"
    raise UserError(
        f"{key}={shown!r} names files, so it must be letters, digits and . _ = , + @ : - or blanks,"
        f" a letter or digit first, and at most {_LONGEST} bytes: give another name"
    )
