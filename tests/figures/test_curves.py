"""What the eye would be misled by: cut dispatches, hidden curves, unequal axes."""

import numpy as np
import pytest

from figures.canvas import new_figure, share_x, show_coincident
from figures.rows import curve
from harness.log import metrics


def dispatches(*updates_and_losses):
    """Rows of dispatches of so many updates with this mean loss."""
    step, rows = 0, []
    for updates, loss in updates_and_losses:
        step += updates
        rows.append(
            {"step": step, metrics.CRITIC_LOSS: loss, metrics.UPDATES_PER_SECOND: 9.0, "other": 1}
        )
    return rows


def test_a_cut_dispatch_counts_by_its_updates():
    rows = dispatches((32, 2.0), (32, 1.0), (1, 34.0), (32, 0.5), (3, 35.5))
    rows.insert(2, {"step": 64, metrics.SCORE: 0.5})
    steps, losses = curve(rows, metrics.CRITIC_LOSS)
    np.testing.assert_array_equal(steps, [32, 65, 100])
    np.testing.assert_allclose(losses, [2.0, 2.0, 3.5])


def test_what_was_not_finite_is_a_gap_and_spoils_no_neighbour():
    steps, losses = curve(dispatches((32, None), (32, 1.0), (1, None)), metrics.CRITIC_LOSS)
    np.testing.assert_array_equal(steps, [32, 65])
    np.testing.assert_array_equal(losses, [np.nan, 1.0])
    for name in ("nothing", metrics.SCORE):
        assert [len(array) for array in curve([], name)] == [0, 0]


def test_evaluations_are_not_joined_and_scores_are_percentages():
    rows = [{"step": step, metrics.SCORE: 0.5, metrics.Q_REAL: 0.5} for step in (0, 1000, 1001)]
    steps, scores = curve(rows, metrics.SCORE)
    np.testing.assert_array_equal(steps, [0, 1000, 1001])
    np.testing.assert_array_equal(scores, [50, 50, 50])
    np.testing.assert_array_equal(curve(rows, metrics.Q_REAL)[1], [0.5, 0.5, 0.5])


def test_panels_share_the_longest_range_and_leave_empty_ones_alone():
    axes = new_figure(1, 3).subplots(1, 3)
    axes[0].plot([0, 10], [1, 1])
    axes[1].plot([5, 40], [1, 1])
    share_x(axes)
    assert axes[0].get_xlim() == axes[1].get_xlim()
    assert axes[0].get_xlim()[0] <= 0 and axes[0].get_xlim()[1] >= 40
    assert not axes[2].has_data()


@pytest.mark.parametrize(("shift", "dashed"), [(0.0, True), (1e-6, True), (0.5, False)])
def test_a_curve_on_another_lets_it_through(shift, dashed):
    ax = new_figure(1, 1).subplots()
    values = np.array([1.0, np.nan, 3.0])
    for offset in (0.0, shift, 7.0):
        ax.plot([0, 1, 2], values + offset)
    show_coincident(ax)
    assert [line.is_dashed() for line in ax.get_lines()] == [False, dashed, False]
