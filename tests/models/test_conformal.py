"""Tests of prediction intervals."""

import numpy as np
import pytest

from core.errors import UserError
from models.conformal import COVERAGES, PredictionInterval, compute_intervals, find_margin

rng = np.random.default_rng(0)


def test_intervals_hold_the_share_of_new_rows_that_they_state():
    for interval in compute_intervals(rng.normal(size=20_000), np.zeros(20_000)):
        held = (abs(rng.normal(size=20_000)) <= interval.margin).mean()
        assert held == pytest.approx(interval.coverage, abs=0.015)


def test_the_margin_counts_the_new_row():
    residuals = np.arange(1.0, 10.0)
    margins = {each.coverage: each.margin for each in compute_intervals(residuals, np.zeros(9))}
    assert margins == {0.5: 5, 0.6: 6, 0.7: 7, 0.8: 8, 0.9: 9}


def test_there_is_none_without_enough_rows():
    assert compute_intervals(np.array([1.0]), np.array([0.5])) == [
        PredictionInterval(coverage=0.5, margin=0.5)
    ]


def test_a_coverage_without_a_margin_is_refused_with_those_there_are():
    intervals = compute_intervals(rng.normal(size=200), np.zeros(200))
    assert [each.coverage for each in intervals] == list(COVERAGES)
    assert find_margin(intervals, 0.9) == intervals[4].margin
    with pytest.raises(UserError, match=r"coverage of 0\.85: choose one of 0\.5, 0\.6"):
        find_margin(intervals, 0.85)
