"""Which rows are for testing: whole groups at random, or the latest rows."""

import numpy as np
import pandas as pd

from core.errors import UserError


def merge_groups(groups: pd.Series, values: pd.Series) -> pd.Series:
    """Return new group numbers: rows that share a group or a value, even in a chain, are one group.

    Parameters
    ----------
    groups : Series of int, shape (n_rows,)
        Group numbers.
    values : Series, shape (n_rows,)
        Rows with an equal value belong together; a missing value is equal to no other.
    """
    numbers = pd.Series(values.factorize()[0], groups.index)
    is_missing = (numbers < 0).to_numpy()
    numbers[is_missing] = np.arange(len(groups))[is_missing] + len(groups)
    merged = groups
    while True:
        # Each row takes the lowest number of its value, then of its group, until none changes.
        lowest = merged.groupby(numbers).transform("min").groupby(groups).transform("min")
        if lowest.equals(merged):
            return pd.Series(merged.factorize()[0], groups.index)
        merged = lowest


def choose_groups(
    strata: np.ndarray, groups: pd.Series, test_size: float, random_state: int
) -> np.ndarray:
    """Choose whole groups at random, so that about ``test_size`` of each stratum are test rows.

    Parameters
    ----------
    strata : ndarray of int, shape (n_rows,)
        Such as the number of the label. A group belongs to the highest stratum of its rows.
    groups : Series of int, shape (n_rows,)
        Group numbers.
    test_size : float
        Above 0 and below 1.
    random_state : int
        Seed of the choice.

    Returns
    -------
    ndarray of bool, shape (n_rows,)
        True for the rows of the test set.
    """
    rng = np.random.default_rng(random_state)
    summary = pd.DataFrame({"group": groups, "stratum": strata}).groupby("group")["stratum"]
    sizes, stratum_of = summary.size(), summary.max()
    chosen: list[int] = []
    carried = 0
    for stratum in np.unique(stratum_of):
        members = sizes[stratum_of == stratum]
        room, n_before = round(test_size * members.sum()) + carried, len(chosen)
        for group in rng.permutation(members.index.to_numpy()):
            # Skip a group that no longer fits: a later, smaller one may fit.
            if members[group] <= room:
                room -= members[group]
                chosen.append(group)
        # Where all groups are too large, the next stratum makes up for it.
        carried = room if len(chosen) == n_before else 0
    return groups.isin(chosen).to_numpy()


def choose_latest(dates: pd.Series, test_size: float) -> np.ndarray:
    """Choose the latest rows; rows of one time are on the same side.

    Parameters
    ----------
    dates : Series of datetime64, shape (n_rows,)
        When each row was made.
    test_size : float
        About the share of the rows that are later than all others, above 0 and below 1.

    Returns
    -------
    ndarray of bool, shape (n_rows,)
        True for the rows of the test set.

    Raises
    ------
    UserError
        If a date is missing, or all rows have the same one.
    """
    if n_missing := int(dates.isna().sum()):
        raise UserError(
            f"preprocessing.split_column: {n_missing} rows have no {dates.name!r}",
            "add {column: "
            f"{dates.name}, required: true}} to data_validation.constraints, which rejects them",
        )
    ordered = dates.sort_values(ignore_index=True)
    start = ordered[len(ordered) - max(1, round(test_size * len(ordered)))]
    is_test = (dates >= start).to_numpy()
    if is_test.all():
        start = ordered[ordered > start].min() if (ordered > start).any() else None
        if start is None:
            raise UserError(
                f"preprocessing.split_column: every row has the same {dates.name!r}",
                "choose another column, or another split_method",
            )
        is_test = (dates >= start).to_numpy()
    return is_test
