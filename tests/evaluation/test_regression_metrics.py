"""Tests of metrics of a regression, compared with scikit-learn's."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from evaluation.regression_metrics import weighted_regression_metrics

NUMBERS = st.integers(-50, 50).map(float)
ROWS = st.lists(st.tuples(NUMBERS, NUMBERS, st.integers(0, 3)), min_size=2, max_size=20)


@settings(deadline=None)
@given(ROWS)
def test_agrees_with_scikit_learn(rows):
    actual, predicted, weights = np.array(rows).T
    assume(len(np.unique(actual[weights > 0])) > 1)
    found = weighted_regression_metrics(actual, predicted, weights[None])
    repeated = [np.repeat(values, weights.astype(int)) for values in (actual, predicted)]
    expected = {
        "mae": sk.mean_absolute_error(*repeated),
        "rmse": sk.root_mean_squared_error(*repeated),
        "r2": sk.r2_score(*repeated),
        "median_absolute_error": sk.median_absolute_error(*repeated),
    }
    assert {name: found[name][0] for name in expected} == pytest.approx(expected, abs=1e-9)


def test_errors_are_shares_of_the_positive_targets_alone():
    actual, predicted = np.array([-5.0, 0.0, 10.0, 20.0]), np.array([1.0, 1.0, 11.0, 16.0])
    found = weighted_regression_metrics(actual, predicted, np.ones((1, 4)))
    assert found["mape"][0] == pytest.approx((0.1 + 0.2) / 2)


def test_the_total_bias_is_a_share_of_the_sum_of_the_target():
    actual, predicted = np.array([10.0, 30.0]), np.array([11.0, 33.0])
    found = weighted_regression_metrics(actual, predicted, np.ones((1, 2)))
    assert found["total_bias"][0] == pytest.approx(0.1)


def test_a_large_mean_does_not_blur_the_share_of_explained_variance():
    actual = 1e9 + np.arange(10.0)
    found = weighted_regression_metrics(actual, actual + 0.5, np.ones((1, 10)))
    assert found["r2"][0] == pytest.approx(1 - 0.25 / 8.25)
