"""One process at a time at a file that several may want to make."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def only_process(path: Path, on_wait: Callable[[], object]) -> Iterator[None]:
    """Inside, no other process is in such a block for `path`; its folder is made where it is not.

    `on_wait` is called before another one is waited for. `.<name>.lock` stays beside the file.
    """
    # checks of a machine without most packages import what downloads and collects
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    # The operating system drops this lock when its holder dies, so that it is never stale.
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        on_wait()
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
