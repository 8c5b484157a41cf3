"""Tests of folds that keep groups together."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.folds import assign_folds


def test_a_large_group_leaves_no_fold_empty():
    groups = np.array([0] * 20 + list(range(1, 11)))
    is_positive = np.array([True] * 25 + [False] * 5)
    folds = assign_folds(is_positive, groups, 5, random_state=0)
    assert set(folds[is_positive]) == set(folds[~is_positive]) == set(range(5))


@given(
    sizes=st.lists(st.tuples(st.integers(1, 4), st.booleans()), max_size=60),
    n_folds=st.integers(2, 6),
    seed=st.integers(0, 5),
)
@settings(deadline=None)
def test_folds_hold_whole_groups_and_their_share_of_each_label(sizes, n_folds, seed):
    sizes = [*sizes, *[(1, False)] * 6, *[(1, True)] * 6]
    counts = [n for n, _ in sizes]
    groups = np.repeat(np.arange(len(sizes)), counts)
    is_positive = np.repeat([positive for _, positive in sizes], counts)
    folds = assign_folds(is_positive, groups, n_folds, seed)
    assert set(folds) <= set(range(n_folds))
    assert all(len(set(folds[groups == group])) == 1 for group in groups)
    for positive in (False, True):
        rows = np.bincount(folds[is_positive == positive], minlength=n_folds)
        assert rows.min() > 0
        assert rows.max() - rows.min() <= 4, "no more than the largest group has rows"
