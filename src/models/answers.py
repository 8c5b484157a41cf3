"""Answer for rows or messages as Python's objects: what the service and the package return."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from core.errors import UserError
from models.loaded import LoadedModel
from models.unusual import find_unusual, list_by_row
from records.chunks import TableColumns
from records.new_rows import pick_columns


class RowError(UserError):
    """A row that cannot be predicted for.

    Attributes
    ----------
    row : int
        Its place among the rows.
    column : str
        The column at fault, as the source names it; '' if it is not of one column.
    reason : str
        What is wrong, without row and column.
    """

    def __init__(self, row: int, column: str, reason: str) -> None:
        where = f"row {row}, column {column!r}" if column else f"row {row}"
        super().__init__(f"{where}: {reason}")
        self.row, self.column, self.reason = row, column, reason


def type_rows(
    loaded: LoadedModel,
    rows: Sequence[Mapping[str, Any]],
    name: Callable[[int], str] = "row {}".format,
) -> pd.DataFrame:
    """Return typed features of rows, by the rules for files.

    Parameters
    ----------
    loaded : LoadedModel
        A model of a table.
    rows : sequence of mapping
        Values by column, as the source names it; columns that are no feature do not count.
    name : callable
        Returns the name of a row for messages, from its place.

    Raises
    ------
    RowError
        For the first row that cannot be predicted for.
    UserError
        If a row lacks a column.
    """
    assert loaded.rows is not None
    assert isinstance(loaded.columns, TableColumns)
    df, rejections = loaded.rows.check(pick_columns(rows, loaded.columns, name))
    for place in np.flatnonzero(rejections.reasons != "").tolist():
        column = rejections.columns[place]
        detail = rejections.details[place].removeprefix(f"{column}:").strip()
        reason = f"{rejections.reasons[place]}{f' ({detail})' if detail else ''}"
        raise RowError(place, loaded.description.source_names.get(column, column), reason)
    return df


def answer(loaded: LoadedModel, inputs: list[str] | pd.DataFrame) -> list[dict[str, Any]]:
    """Return the answers for messages or typed rows; see ``list_answers``."""
    found = loaded.prediction.score(loaded.pipeline, loaded.decision.labels, inputs)
    return list_answers(loaded, found, inputs)


def list_answers(
    loaded: LoadedModel, found: np.ndarray, inputs: list[str] | pd.DataFrame
) -> list[dict[str, Any]]:
    """Return an answer for each output of the model.

    Returns
    -------
    list of dict
        ``label`` and ``probability``; of more than two labels also ``probabilities`` by label; or
        ``prediction``, ``lower`` and ``upper``. Rows of tables also have ``warnings``: columns with
        unusual values, each with its problem.

    Raises
    ------
    RowError
        If the model predicts no finite number for a row.
    """
    is_finite = np.isfinite(found.reshape(len(found), -1)).all(axis=1)
    if not is_finite.all():
        raise RowError(int(np.argmin(is_finite)), "", "the model predicts no finite number")
    columns = loaded.prediction.answer(found, loaded.decision, False)
    names = [name for name, _, _ in columns]
    answers = [
        dict(zip(names, values, strict=True))
        for values in zip(*(values for _, _, values in columns), strict=True)
    ]
    if found.ndim > 1:
        for each, row in zip(answers, found.tolist(), strict=True):
            each["probabilities"] = dict(zip(loaded.decision.labels, row, strict=True))
    if isinstance(inputs, pd.DataFrame):
        unusual = find_unusual(loaded.pipeline, loaded.description, inputs)
        for each, row in zip(answers, list_by_row(unusual, len(inputs)), strict=True):
            each["warnings"] = [{"column": name, "problem": problem} for name, problem in row]
    return answers
