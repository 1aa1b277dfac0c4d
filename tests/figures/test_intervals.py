"""Bootstrap intervals over seeds."""

import numpy as np

from figures.intervals import bootstrap, mean_interval


def curve_means(scores):
    return scores.mean((0, 1))


def test_interval_is_the_same_every_time_and_leaves_the_global_draws_alone():
    scores = np.random.default_rng(0).normal(size=(5, 1, 4))
    np.random.seed(1)
    expected = np.random.random_sample(3)
    first = bootstrap(scores, curve_means)
    np.random.seed(1)
    second = bootstrap(scores, curve_means)
    np.testing.assert_array_equal(np.random.random_sample(3), expected)
    np.testing.assert_array_equal(first, second)


def test_interval_contains_the_mean_and_narrows_with_seeds():
    scores = np.random.default_rng(0).normal(size=(64, 1, 1))
    few, many = (bootstrap(scores[:count], curve_means) for count in (4, 64))
    for mean, low, high in (few, many):
        assert low < mean < high
    # ± 1.96 standard errors
    np.testing.assert_allclose(many[2] - many[1], 2 * 1.96 * scores.std() / 8, rtol=0.15)
    assert many[2] - many[1] < few[2] - few[1]


def test_interval_of_a_mean_draws_whole_groups():
    rng = np.random.default_rng(0)
    values = rng.normal(size=400)
    low, high = mean_interval([[value] for value in values])
    assert low < values.mean() < high
    np.testing.assert_allclose(high - low, 2 * 1.96 * values.std() / 20, rtol=0.15)
    # ten times the same value says no more than one of it
    repeated = mean_interval([[value] * 10 for value in values])
    np.testing.assert_allclose(repeated, (low, high), rtol=1e-9)
    # groups of more episodes weigh more
    uneven = mean_interval([[0.0]] * 20 + [[1.0] * 9] * 20)
    assert uneven[0] > 0.8
    assert mean_interval([[1.0, 2.0]]) is None
