import json

import numpy as np
import pytest
from PIL import Image

from harness import metrics
from harness.errors import UserError
from harness.plots import learning_plot


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def ink(path):
    """Share of pixels that are not white."""
    image = np.asarray(Image.open(path).convert("L"))
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
