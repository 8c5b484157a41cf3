"""Tests of turning scores into probabilities."""

import numpy as np
import pytest
from scipy.special import expit, softmax

from models.calibration import cross_calibrate, fit_sigmoid, fit_temperature
from models.folds import NEVER

rng = np.random.default_rng(0)
SCORES = rng.normal(0, 2, 20_000)
LOGITS = rng.normal(0, 2, (5_000, 3))
CODES = np.array([rng.choice(3, p=p) for p in softmax(LOGITS, axis=1)])


@pytest.mark.parametrize(("slope", "offset"), [(1.0, 0.0), (0.5, -1.0), (3.0, 2.0)])
def test_a_sigmoid_is_found_again(slope, offset):
    is_second = rng.random(len(SCORES)) < expit(slope * SCORES + offset)
    np.testing.assert_allclose(fit_sigmoid(SCORES, is_second), (slope, offset), atol=0.15)


def test_a_sigmoid_of_scores_without_an_error_is_finite():
    slope, offset = fit_sigmoid(np.array([-2.0, -1.0, 1.0, 2.0]), np.array([0, 0, 1, 1], bool))
    assert 0 < slope < 10
    assert abs(offset) < 1e-3


@pytest.mark.parametrize("slope", [0.1, 1.0, 4.0])
def test_a_temperature_is_found_again(slope):
    found, offset = fit_temperature(LOGITS / slope, CODES)
    assert found == pytest.approx(slope, rel=0.1)
    assert offset == 0


def test_a_temperature_of_scores_without_an_error_is_finite():
    assert 1 < fit_temperature(np.eye(3), np.arange(3))[0] < 1e5


def test_a_fold_is_calibrated_by_the_others():
    folds = np.arange(len(SCORES)) % 2
    is_second = rng.random(len(SCORES)) < expit(SCORES)
    before = cross_calibrate(SCORES, is_second, folds)
    is_second[folds == 1] = ~is_second[folds == 1]
    after = cross_calibrate(SCORES, is_second, folds)
    assert (before[folds == 1] == after[folds == 1]).all()
    assert (before[folds == 0] != after[folds == 0]).any()
    assert abs(before[folds == 0] - expit(SCORES[folds == 0])).max() < 0.1


def test_the_probabilities_of_several_labels_add_up():
    folds = np.arange(len(LOGITS)) % 2
    probability = cross_calibrate(LOGITS * 5, CODES, folds)
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    np.testing.assert_allclose(probability, softmax(LOGITS, axis=1), atol=0.05)


def test_rows_that_are_never_held_out_get_no_probability():
    folds = np.arange(len(SCORES)) % 3 + NEVER
    scores = np.where(folds == NEVER, np.nan, SCORES)
    probability = cross_calibrate(scores, SCORES > 0, folds)
    assert (np.isnan(probability) == (folds == NEVER)).all()
