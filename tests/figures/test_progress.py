import json

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from figures.canvas import curve_styles, new_figure, shared_legend
from figures.progress import learning_plot
from harness.errors import UserError
from harness.log import metrics


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def ink(path):
    """Share of pixels that are not white."""
    with Image.open(path) as file:
        image = np.asarray(file.convert("L"))
    return image.shape, np.mean(image < 250)


def test_panels_follow_the_metrics(tmp_path):
    scores = [{"step": step, metrics.SCORE: step / 10} for step in range(10)]
    small, _ = ink(learning_plot(write(tmp_path / "m", scores), tmp_path / "a/one.png"))
    horizons = {metrics.HORIZON_Q25: 5, metrics.HORIZON_Q50: 9, metrics.HORIZON_Q75: 20}
    losses = {metrics.CRITIC_LOSS: 3.0, metrics.ACTOR_LOSS: -1.0, metrics.ALPHA: 0.2}
    rows = [row | horizons | losses | {metrics.Q_REAL: 2} for row in scores]
    large, drawn = ink(learning_plot(write(tmp_path / "m", rows), tmp_path / "two.png", "a title"))
    assert large[0] > 1.8 * small[0] and large[1] > 2.8 * small[1]
    assert drawn > 0.01


def test_gaps_single_rows_and_constant_losses_are_drawn(tmp_path):
    rows = [{"step": 0, metrics.SCORE: None, metrics.CRITIC_LOSS: 0.0}]
    learning_plot(write(tmp_path / "m", rows), tmp_path / "one.png")
    assert ink(tmp_path / "one.png")[1] > 0.003


def test_nothing_to_draw_is_said(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        learning_plot(tmp_path / "none.jsonl", tmp_path / "x.png")
    with pytest.raises(UserError, match="no metrics"):
        learning_plot(write(tmp_path / "m", [{"step": 1, "other": 2}]), tmp_path / "x.png")
    assert not (tmp_path / "x.png").exists()


def test_every_curve_has_a_style_of_its_own():
    styles = [tuple(style.values()) for style in curve_styles(28)]
    assert len(set(styles)) == 28
    assert {line for _, line in styles[:7]} == {"-"}


@pytest.mark.parametrize("length", [5, 40, 150])
def test_a_legend_of_all_panels_is_within_the_figure(length):
    figure = new_figure(1, 2)
    axes = figure.subplots(1, 2)
    # the first panel lacks what the second has
    for number in range(12):
        axes[int(number > 3)].plot([0, 1], label=f"{number:02d}".rjust(length, "m"))
    axes[1].plot([1, 0], label="00".rjust(length, "m"))
    shared_legend(figure, "a title with words " * 10)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    (legend,) = figure.legends
    assert len(legend.get_texts()) == 12
    box = legend.get_window_extent()
    assert box.x0 >= 0 and box.x1 <= figure.bbox.x1
    assert box.y1 <= figure.bbox.y1 and axes[0].get_window_extent().height > 150
