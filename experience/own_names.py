"""Names of datasets that users collect themselves in the published tasks' environments.

Such a name says that the data is not the publisher's: `halfcheetah-own-random-v2`,
`antmaze-umaze-own-net-v2`, `Hopper-v3-own-mix`. Environment and reference returns are those of the
published datasets whose names begin alike.
"""

import re
from collections.abc import Iterable

from catalogue.domains import OWN_MARK

_OWN = re.compile(
    rf"(?P<task>.+?){OWN_MARK}(?P<label>[a-z0-9]+(?:-[a-z0-9]+)*?)(?P<version>-v\d+)?"
)
_VERSION = re.compile(r"-v\d+$")


def published_relative(name: str, published: Iterable[str]) -> str | None:
    """The first of the `published` names that has the environment of the own dataset `name`.

    None if `name` is not an own one, is of none of these tasks, or has another version.
    """
    parts = _OWN.fullmatch(name)
    if parts is None:
        return None
    for candidate in published:
        version = _VERSION.search(candidate)
        same_version = parts["version"] == (version[0] if version else None)
        task = candidate.removesuffix(version[0]) if version else candidate
        if same_version and (task == parts["task"] or task.startswith(f"{parts['task']}-")):
            return candidate
    return None


def own_example(published: str) -> str:
    """An own name in the environment of this published dataset, for messages."""
    version = _VERSION.search(published)
    task = published.removesuffix(version[0]) if version else published
    beginning = task.rpartition("-")[0] or task
    return f"{beginning}{OWN_MARK}random{version[0] if version else ''}"
