"""Folds for cross-validation that keep groups together."""

import heapq

import numpy as np

from core.errors import UserError


def assign_folds(
    is_positive: np.ndarray, groups: np.ndarray, n_folds: int, random_state: int
) -> np.ndarray:
    """Assign whole groups to folds at random, so that each class is spread evenly.

    scikit-learn's StratifiedGroupKFold tries every fold for every group. For thousands of small
    groups that takes longer than fitting.

    Parameters
    ----------
    is_positive : ndarray of bool, shape (n_rows,)
        The class of each row. A group with both classes counts as positive.
    groups : ndarray of int, shape (n_rows,)
        Group numbers.
    n_folds : int
        How many folds to make.
    random_state : int
        Seed of the assignment.

    Returns
    -------
    ndarray of int, shape (n_rows,)
        Fold numbers, counted from 0.

    Raises
    ------
    UserError
        If a class has fewer groups than there are folds.
    """
    rng = np.random.default_rng(random_state)
    _, member, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    has_positive = np.bincount(member, weights=is_positive) > 0
    folds = np.empty(len(sizes), int)
    for stratum in (False, True):
        order = rng.permutation(np.flatnonzero(has_positive == stratum))
        if len(order) < n_folds:
            raise UserError(
                f"model_building.search.cv: {n_folds} folds need as many groups of each label, "
                f"but one label has {len(order)}",
                "lower model_building.search.cv, or add messages with that label",
            )
        # Largest group first, each to the fold with the fewest rows.
        loads = [(0, fold) for fold in range(n_folds)]
        for group in order[np.argsort(-sizes[order], kind="stable")]:
            n_rows, folds[group] = loads[0]
            heapq.heapreplace(loads, (n_rows + sizes[group], folds[group]))
    return folds[member]
