"""Tests of cross-validation and calibration."""

import numpy as np
import pytest
from scipy.special import expit

from models.training import cross_calibrate, fit_sigmoid

rng = np.random.default_rng(0)
SCORES = rng.normal(0, 2, 20_000)


@pytest.mark.parametrize(("slope", "offset"), [(1.0, 0.0), (0.5, -1.0), (3.0, 2.0)])
def test_a_sigmoid_is_found_again(slope, offset):
    is_second = rng.random(len(SCORES)) < expit(slope * SCORES + offset)
    np.testing.assert_allclose(fit_sigmoid(SCORES, is_second), (slope, offset), atol=0.15)


def test_a_sigmoid_of_scores_without_an_error_is_finite():
    slope, offset = fit_sigmoid(np.array([-2.0, -1.0, 1.0, 2.0]), np.array([0, 0, 1, 1], bool))
    assert 0 < slope < 10
    assert abs(offset) < 1e-3


def test_a_fold_is_calibrated_by_the_others():
    folds = np.arange(len(SCORES)) % 2
    is_second = rng.random(len(SCORES)) < expit(SCORES)
    before = cross_calibrate(SCORES, is_second, folds)
    is_second[folds == 1] = ~is_second[folds == 1]
    after = cross_calibrate(SCORES, is_second, folds)
    assert (before[folds == 1] == after[folds == 1]).all()
    assert (before[folds == 0] != after[folds == 0]).any()
    assert abs(before[folds == 0] - expit(SCORES[folds == 0])).max() < 0.1
