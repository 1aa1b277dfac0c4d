"""A picture of an AntMaze evaluation: walls, paths and goals."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from experience.engine.antmaze import MazeLayout
from harness.files import atomic_write

_GOAL_RADIUS = 0.5  # m: d4rl ends an episode within this distance of its goal
_ROUNDING = 1e-4  # m: trajectories are float32


def draw_maze(
    path: Path,
    layout: MazeLayout,
    trajectories: Sequence[Float[np.ndarray, "_ state"]],
    goals: Float[np.ndarray, "episode xy"],
    title: str = "",
) -> Path:
    """Write a PNG of `trajectories` (whose first two state numbers are x and y in m) to `path`.

    An episode that came within reach of its goal is drawn in another colour than one that did not.
    Returns `path`; its folder is made where it is missing.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Circle, Rectangle

    size = layout.cell_size
    start_row, start_column = layout.start
    rows, columns = len(layout.walls), len(layout.walls[0])
    # A figure without pyplot: nothing global, so that it works in threads and without a display.
    figure = Figure(figsize=(0.8 * columns, 0.8 * rows))
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for row, line in enumerate(layout.walls):
        for column, wall in enumerate(line):
            if wall:
                corner = ((column - start_column - 0.5) * size, (row - start_row - 0.5) * size)
                axes.add_patch(Rectangle(corner, size, size, color="0.75", linewidth=0))
    reached = 0
    for trajectory, goal in zip(trajectories, goals, strict=True):
        position = np.asarray(trajectory)[:, :2]
        success = bool((np.linalg.norm(position - goal, axis=1) <= _GOAL_RADIUS + _ROUNDING).any())
        reached += success
        axes.plot(*position.T, color="tab:green" if success else "tab:red", alpha=0.5, linewidth=1)
        axes.add_patch(Circle(goal, _GOAL_RADIUS, color="tab:blue", alpha=0.25, linewidth=0))
    axes.plot(0, 0, "k+", markersize=8)
    axes.set_xlim((-start_column - 0.5) * size, (columns - start_column - 0.5) * size)
    axes.set_ylim((-start_row - 0.5) * size, (rows - start_row - 0.5) * size)
    axes.set_aspect("equal")
    axes.set_xlabel("x (m)")
    axes.set_ylabel("y (m)")
    axes.set_title(", ".join(filter(None, [title, f"goal reached {reached}/{len(goals)}"])))
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120, bbox_inches="tight")
    return path
