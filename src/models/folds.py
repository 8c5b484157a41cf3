"""Folds for cross-validation: whole groups at random, or windows of time."""

import heapq
from collections.abc import Sequence

import numpy as np
import pandas as pd

from core.errors import UserError

# The fold of rows that are never held out: those of the first window of time.
NEVER = -1
CV = "model_building.search.cv"


def assign_folds(
    strata: np.ndarray,
    groups: np.ndarray,
    n_folds: int,
    random_state: int,
    labels: Sequence[str] = (),
) -> np.ndarray:
    """Assign whole groups to folds at random, so that each stratum is spread evenly.

    scikit-learn's StratifiedGroupKFold tries every fold for every group. For thousands of small
    groups that takes longer than fitting.

    Parameters
    ----------
    strata : ndarray of int or bool, shape (n_rows,)
        Such as the number of the label. A group belongs to the highest stratum of its rows.
    groups : ndarray of int, shape (n_rows,)
        Group numbers.
    n_folds : int
        How many folds to make.
    random_state : int
        Seed of the assignment.
    labels : sequence of str
        Names of the strata, for messages.

    Returns
    -------
    ndarray of int, shape (n_rows,)
        Fold numbers, counted from 0.

    Raises
    ------
    UserError
        If a stratum has fewer groups than there are folds.
    """
    rng = np.random.default_rng(random_state)
    _, member, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    stratum_of = find_strata(strata, member)
    folds = np.empty(len(sizes), int)
    for stratum in range(max(stratum_of.max() + 1, len(labels))):
        order = rng.permutation(np.flatnonzero(stratum_of == stratum))
        if len(order) < n_folds:
            label = f" labelled {labels[stratum]!r}" if len(labels) else ""
            raise UserError(
                f"{CV}: {n_folds} folds need as many groups of rows{label}, not {len(order)}",
                f"lower {CV}, or add rows{label}",
            )
        # Largest group first, each to the fold with the fewest rows.
        loads = [(0, fold) for fold in range(n_folds)]
        for group in order[np.argsort(-sizes[order], kind="stable")]:
            n_rows, folds[group] = loads[0]
            heapq.heapreplace(loads, (n_rows + sizes[group], folds[group]))
    return folds[member]


def find_strata(strata: np.ndarray, member: np.ndarray) -> np.ndarray:
    """Return the highest stratum of each group; ``member`` is the group of each row."""
    highest = np.zeros(member.max() + 1, int)
    np.maximum.at(highest, member, strata.astype(int))
    return highest


def merge_strata(strata: np.ndarray, groups: np.ndarray, n_folds: int) -> np.ndarray:
    """Join intervals of a number with the next ones until each has as many groups as folds.

    Returns
    -------
    ndarray of int, shape (n_rows,)
        New numbers of the strata, counted from 0.
    """
    _, member = np.unique(groups, return_inverse=True)
    counts = np.bincount(find_strata(strata, member))
    merged, n_groups = np.zeros(len(counts), int), 0
    for stratum, count in enumerate(counts):
        merged[stratum] = merged[stratum - 1] if stratum else 0
        if n_groups >= n_folds and counts[stratum:].sum() >= n_folds:
            merged[stratum] += 1
            n_groups = 0
        n_groups += count
    return merged[strata]


def assign_windows(times: pd.Series, groups: np.ndarray, n_folds: int) -> np.ndarray:
    """Assign rows to windows of time; a model for a window is fitted on all windows before it.

    Rows of one time, and rows of one group, are in one window. It is that of the group's last row,
    so that no model is fitted on rows that are later than those it is measured on.

    Parameters
    ----------
    times : Series of datetime64, shape (n_rows,)
        When each row was made.
    groups : ndarray of int, shape (n_rows,)
        Group numbers.
    n_folds : int
        How many windows are held out.

    Returns
    -------
    ndarray of int, shape (n_rows,)
        Numbers of the windows, in the order of time: ``NEVER`` for the first, then from 0.

    Raises
    ------
    UserError
        If a time is missing, or there are too few different times.
    """
    if n_missing := int(times.isna().sum()):
        raise UserError(
            f"preprocessing.split_column: {n_missing} rows have no {times.name!r}",
            "reject rows without it, with data_validation.constraints",
        )
    last = times.groupby(groups).transform("max")
    # Equally many rows in each window, before rows of one time are put together.
    place = (last.rank(method="min").to_numpy() - 1) / len(last)
    _, windows = np.unique((place * (n_folds + 1)).astype(int), return_inverse=True)
    if windows.max() < n_folds:
        raise UserError(
            f"{CV}: {n_folds} windows of time and one before them need more times than "
            f"{times.name!r} has",
            f"lower {CV}",
        )
    return windows + NEVER


def check_windows(folds: np.ndarray, y: np.ndarray) -> None:
    """Raise ``UserError`` if a window of time has no row with one of the labels."""
    for label in np.unique(y):
        missing = np.setdiff1d(folds, folds[y == label])
        if len(missing):
            raise UserError(
                f"{CV}: window {missing[0] - NEVER + 1} of {len(np.unique(folds))} windows of time "
                f"has no row labelled {label!r}",
                f"lower {CV}, so that the windows are longer",
            )


def list_splits(folds: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return for each fold the rows to fit on, and those that are held out.

    Where some rows are never held out, folds are windows of time: only those before are fitted on.
    """
    is_time = (folds == NEVER).any()
    return [
        (np.flatnonzero(folds < fold if is_time else folds != fold), np.flatnonzero(folds == fold))
        for fold in np.unique(folds[folds != NEVER])
    ]
