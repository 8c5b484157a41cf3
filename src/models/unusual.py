"""Values of rows that the training rows did not have: predictions are less certain there."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from features.branches import find_unseen
from models.description import RANGED, Description, read_limit

UNSEEN = "unseen value"
OUTSIDE = "outside the training range"


def find_unusual(
    model: Pipeline, description: Description, df: pd.DataFrame
) -> dict[str, tuple[str, np.ndarray]]:
    """Return what is unusual about the values of a column, and the rows that have such a value.

    Parameters
    ----------
    model, description
        A model of tables.
    df : DataFrame of shape (n_rows, n_columns)
        Typed features.

    Returns
    -------
    dict of str to (str, ndarray of bool of shape (n_rows,))
        By column, as the source names it; only columns with such rows, in the schema's order.
    """
    unseen, names = find_unseen(model["columns"], df), description.source_names
    found = {}
    for column in description.columns:
        problem, is_unusual = UNSEEN, unseen.get(column.name)
        if column.kind in RANGED:
            values = df[column.name]
            low, high = read_limit(column, column.minimum), read_limit(column, column.maximum)
            if low is None:  # no training row has a value
                is_unusual = values.notna().to_numpy()
            elif column.kind == "number":
                # Comparing in pandas takes 30 times as long for a single row.
                numbers = values.to_numpy()
                is_unusual = (numbers < low) | (numbers > high)
            else:
                is_unusual = (values.notna() & ~values.between(low, high)).to_numpy(bool)
            problem = OUTSIDE
        if is_unusual is not None and is_unusual.any():
            found[names[column.name]] = (problem, is_unusual)
    return found


def write_by_row(
    found: dict[str, tuple[str, np.ndarray]], n_rows: int, quote: Callable[[str], str]
) -> list[str]:
    """Return what is unusual about each row as text, '' if nothing is.

    ``quote`` returns the name of a column as the text shows it.
    """
    texts = np.full(n_rows, "", object)
    for column, (problem, is_unusual) in found.items():
        before = texts[is_unusual]
        texts[is_unusual] = (
            before + np.where(before == "", "", "; ") + f"{quote(column)}: {problem}"
        )
    return texts.tolist()


def list_by_row(
    found: dict[str, tuple[str, np.ndarray]], n_rows: int
) -> list[list[tuple[str, str]]]:
    """Return the columns with unusual values of each row, each with its problem."""
    rows: list[list[tuple[str, str]]] = [[] for _ in range(n_rows)]
    for column, (problem, is_unusual) in found.items():
        for place in np.flatnonzero(is_unusual).tolist():
            rows[place].append((column, problem))
    return rows
