"""The AntMaze picture shows what happened."""

import matplotlib.image
import numpy as np
import pytest

from experience.engine import install
from experience.engine.antmaze import maze_layout
from figures.maze import draw_maze


@pytest.fixture(autouse=True, scope="module")
def engine():
    install()


def test_layout_of_the_umaze():
    layout = maze_layout("antmaze-umaze-v2")
    assert layout.start == (1, 1) and layout.cell_size == 4.0
    assert layout.walls[0] == (True,) * 5
    assert layout.walls[2] == (True, True, True, False, True)


def pixels(path):
    return matplotlib.image.imread(path)[..., :3]


def share_of_walls(path):
    return (np.abs(pixels(path) - 0.75).max(axis=-1) < 0.02).mean()


def count_dominant(path, channel):
    """Pixels in which one colour channel exceeds the other two."""
    picture = pixels(path)
    others = np.delete(picture, channel, axis=-1).max(axis=-1)
    return int((picture[..., channel] - others > 0.05).sum())


@pytest.mark.parametrize("name", ["antmaze-umaze-v2", "antmaze-large-play-v2"])
def test_picture_of_paths_walls_and_goals(tmp_path, name):
    layout = maze_layout(name)
    goals = np.array([[4.0, 0.0], [8.0, 0.0]])
    to_goal = np.linspace([0, 0], [4.0, 0.0], 20)
    lost = np.linspace([0, 0], [0.0, -1.5], 20)
    states = [np.hstack([path, np.zeros((20, 27))]) for path in (to_goal, lost)]
    path = tmp_path / "plots" / "maze.png"
    assert draw_maze(path, layout, states, goals, title="step 10") == path
    assert [file.name for file in path.parent.iterdir()] == ["maze.png"]
    empty = draw_maze(tmp_path / "empty.png", layout, [], np.zeros((0, 2)))
    walls = np.mean(layout.walls)
    assert 0.6 * walls < share_of_walls(empty) <= walls
    red, green, blue = 0, 1, 2
    for channel in (red, green, blue):
        assert count_dominant(path, channel) > 20
        assert count_dominant(empty, channel) == 0
