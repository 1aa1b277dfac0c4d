"""What d4rl's AntMaze needs beyond `gym.make`, and the layout of its mazes."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace


@dataclass(frozen=True)
class MazeLayout:
    """The walls of a maze: `walls` (row, column) is true where a block stands; lengths in m.

    The ant starts at the origin, which is the centre of the `start` (row, column) cell.
    """

    walls: tuple[tuple[bool, ...], ...]
    start: tuple[int, int]
    cell_size: float


def maze_layout(environment: str) -> MazeLayout:
    """The maze of an AntMaze environment that d4rl has registered (so `install` has run)."""
    import gym
    from d4rl.locomotion import maze_env

    arguments = gym.spec(environment).kwargs
    cells = arguments["maze_map"]
    start = next(
        (row, column)
        for row, line in enumerate(cells)
        for column, cell in enumerate(line)
        if cell == maze_env.RESET
    )
    walls = tuple(tuple(cell == 1 for cell in line) for line in cells)
    return MazeLayout(walls, start, arguments["maze_size_scaling"])


@contextmanager
def tidy_maze_construction() -> Iterator[None]:
    """Make AntMaze without its litter.

    d4rl prints every goal that it draws, and leaves one open, undeleted file per environment made.
    """
    from d4rl.locomotion import maze_env

    setattr(maze_env, "print", _print_nothing)  # noqa: B010 (a name that the module lacks)
    with tempfile.TemporaryDirectory() as folder:

        def mkstemp(text: bool, suffix: str) -> tuple[None, str]:
            return None, str(Path(folder) / f"maze{suffix}")

        maze_env.tempfile = SimpleNamespace(mkstemp=mkstemp)
        try:
            yield
        finally:
            maze_env.tempfile = tempfile


def _print_nothing(*_: object) -> None:
    """Shadows `print` in d4rl's maze module."""
