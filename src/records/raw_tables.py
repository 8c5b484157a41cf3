"""Rows as they were read, in any format, before their values are checked."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

# Row, reason, detail and text of a row that cannot be read.
Unread = tuple[int, str, str, str]


@dataclass(frozen=True)
class RawTable:
    """Rows as they were read, before their values are checked.

    Attributes
    ----------
    columns : DataFrame of shape (n_rows, n_columns)
        Text; from other formats also Python's objects (JSON lines, Excel) or Arrow's types.
    rows : ndarray of int, shape (n_rows,)
        The number of each row's first line.
    is_added : ndarray of bool, shape (n_rows,)
        Whether a row is one of the additions.
    unread : list
        The rows that cannot be read: row, reason, detail, text.
    show : callable
        Returns the text of a row, from its place.
    last : int
        The last line that was read.
    has_additions : bool
        Whether there are additions, even if none of them can be read.
    """

    columns: pd.DataFrame
    rows: np.ndarray
    is_added: np.ndarray
    unread: list[Unread]
    show: Callable[[int], str]
    last: int
    has_additions: bool = False


def make_table(
    values: pd.DataFrame,
    rows: Sequence[int] | np.ndarray,
    unread: list[Unread],
    show: Callable[[int], str],
    last: int,
) -> RawTable:
    """Return a table of rows that are not additions."""
    return RawTable(
        values, np.asarray(rows, "int64"), np.zeros(len(values), bool), unread, show, last
    )


def append(first: RawTable, second: RawTable) -> RawTable:
    """Return the rows of both tables; those of the second are additions."""
    n_first = len(first.columns)
    moved = [
        (row + first.last, reason, detail, text) for row, reason, detail, text in second.unread
    ]
    return RawTable(
        pd.concat([first.columns, second.columns], ignore_index=True),
        np.concatenate([first.rows, second.rows + first.last]),
        np.concatenate([first.is_added, np.ones(len(second.columns), bool)]),
        [*first.unread, *moved],
        lambda place: first.show(place) if place < n_first else second.show(place - n_first),
        first.last + second.last,
        has_additions=True,
    )


def stack(values: Sequence[pd.Series], columns: Sequence[str]) -> pd.DataFrame:
    """Return a table of columns, whose names may repeat."""
    return pd.DataFrame(dict(enumerate(values))).set_axis(list(columns), axis="columns")


def make_column(values: Sequence[Any]) -> pd.Series:
    """Return values as text if all of them are, else as objects."""
    is_text = set(map(type, values)) <= {str, type(None)}
    return pd.Series(values, dtype="str" if is_text else "object")


def show_row(values: pd.DataFrame) -> Callable[[int], str]:
    """Return a function that shows a row of a table that has no text of its own as JSON."""

    def show(place: int) -> str:
        row = values.iloc[place]
        shown = {name: None if is_null(value) else value for name, value in row.items()}
        return json.dumps(shown, ensure_ascii=False, default=str)

    return show


def is_null(value: Any) -> bool:
    """Return whether one value is missing."""
    return pd.api.types.is_scalar(value) and bool(pd.isna(value))
