"""Tests of folds that keep groups together, and of windows of time."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import UserError
from models.folds import (
    NEVER,
    assign_folds,
    assign_windows,
    check_windows,
    list_splits,
    merge_strata,
)

DAYS = pd.Series(pd.date_range("2024-01-01", periods=12), name="day")


def test_a_large_group_leaves_no_fold_empty():
    groups = np.array([0] * 20 + list(range(1, 11)))
    is_positive = np.array([True] * 25 + [False] * 5)
    folds = assign_folds(is_positive, groups, 5, random_state=0)
    assert set(folds[is_positive]) == set(folds[~is_positive]) == set(range(5))


@given(
    sizes=st.lists(st.tuples(st.integers(1, 4), st.integers(0, 2)), max_size=60),
    n_folds=st.integers(2, 6),
    seed=st.integers(0, 5),
)
@settings(deadline=None)
def test_folds_hold_whole_groups_and_their_share_of_each_stratum(sizes, n_folds, seed):
    sizes = [*sizes, *[(1, stratum) for stratum in range(3)] * 6]
    counts = [n for n, _ in sizes]
    groups = np.repeat(np.arange(len(sizes)), counts)
    strata = np.repeat([stratum for _, stratum in sizes], counts)
    folds = assign_folds(strata, groups, n_folds, seed)
    assert set(folds) <= set(range(n_folds))
    assert all(len(set(folds[groups == group])) == 1 for group in groups)
    for stratum in range(3):
        rows = np.bincount(folds[strata == stratum], minlength=n_folds)
        assert rows.min() > 0
        assert rows.max() - rows.min() <= 4, "no more than the largest group has rows"


def test_a_label_with_fewer_groups_than_folds_is_named():
    strata, groups = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 1, 2, 3, 4, 4])
    message = (
        r"search\.cv: 3 folds need as many groups of rows labelled 'rare', not 2: "
        r"lower model_building\.search\.cv, or add rows labelled 'rare'"
    )
    with pytest.raises(UserError, match=message):
        assign_folds(strata, groups, 3, 0, ["common", "rare"])


def test_a_label_without_a_row_is_named():
    with pytest.raises(UserError, match="labelled 'none', not 0"):
        assign_folds(np.array([0, 0]), np.arange(2), 2, 0, ["some", "none"])


@pytest.mark.parametrize(
    ("strata", "expected"),
    [
        ([0, 0, 1, 1, 2, 2], [0, 0, 1, 1, 2, 2]),
        ([0, 1, 1, 1, 2, 2], [0, 0, 0, 0, 1, 1]),
        ([0, 0, 1, 1, 1, 2], [0, 0, 1, 1, 1, 1]),
        ([0, 1, 2, 3, 4, 5], [0, 0, 1, 1, 2, 2]),
        ([0, 0, 0, 0, 0, 5], [0, 0, 0, 0, 0, 0]),
    ],
)
def test_intervals_with_too_few_groups_are_joined(strata, expected):
    assert merge_strata(np.array(strata), np.arange(6), 2).tolist() == expected


def test_windows_of_time_hold_equally_many_rows_in_order():
    shuffled = DAYS.sample(frac=1, random_state=0)
    folds = assign_windows(shuffled, np.arange(12), 3)
    assert (
        folds[np.argsort(shuffled.to_numpy())].tolist() == [NEVER] * 3 + [0] * 3 + [1] * 3 + [2] * 3
    )


def test_rows_of_one_time_and_of_one_group_are_in_one_window():
    days = DAYS.copy()
    days[5] = days[6]
    groups = np.arange(12)
    groups[0] = groups[11]
    folds = assign_windows(days, groups, 3)
    assert folds[5] == folds[6]
    assert folds[0] == folds[11] == 2


def test_a_window_is_predicted_from_those_before_it_alone():
    splits = list_splits(assign_windows(DAYS, np.arange(12), 3))
    assert [(len(others), held_out.tolist()) for others, held_out in splits] == [
        (3, [3, 4, 5]),
        (6, [6, 7, 8]),
        (9, [9, 10, 11]),
    ]
    assert all(others.max() < held_out.min() for others, held_out in splits)


def test_a_fold_is_predicted_from_all_others():
    [(others, held_out), _] = list_splits(np.array([0, 1, 0]))
    assert (others.tolist(), held_out.tolist()) == ([1], [0, 2])


def test_missing_and_too_few_times_are_refused():
    days = DAYS.copy()
    days[3] = pd.NaT
    with pytest.raises(UserError, match="1 rows have no 'day'"):
        assign_windows(days, np.arange(12), 3)
    with pytest.raises(UserError, match="need more times than 'day' has"):
        assign_windows(DAYS.where(DAYS.index > 9, DAYS[0]), np.arange(12), 5)


def test_a_window_without_a_label_is_named():
    folds = assign_windows(DAYS, np.arange(12), 3)
    y = np.array(["a", "b"] * 3 + ["a"] * 3 + ["b", "a", "b"], object)
    with pytest.raises(UserError, match="window 3 of 4 windows of time has no row labelled 'b'"):
        check_windows(folds, y)
