"""Answer for rows or messages as Python's objects: what the service and the package return."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from core.errors import UserError
from models.loaded import LoadedModel
from models.unusual import find_unusual, list_by_row
from records.chunks import TableColumns, inspect_text
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
    if not len(found):
        return []
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


def answer_rows(
    loaded: LoadedModel,
    rows: Sequence[Mapping[str, Any] | str],
    unknown_columns: str = "refuse",
) -> list[dict[str, Any]]:
    """Return the answer for each row or message of a program, with the version of the model.

    Parameters
    ----------
    loaded : LoadedModel
        The model.
    rows : list of dict or list of str
        Values by column, as the source names it; or messages, of a model of messages.
    unknown_columns : {'refuse', 'ignore'}
        What to do with columns that the model does not use.

    Raises
    ------
    RowError
        For the first row that cannot be predicted for.
    UserError
        If an argument is of another type, or a row lacks a column.
    """
    if unknown_columns not in ("refuse", "ignore"):
        raise UserError(f"unknown_columns is {unknown_columns!r}", "give 'refuse' or 'ignore'")
    if isinstance(rows, str | bytes | Mapping) or not isinstance(rows, Sequence):
        raise UserError(f"rows is a {type(rows).__name__}", "give a list, of one row as well")
    if not rows:
        return []
    names = [[loaded.columns]] if isinstance(loaded.columns, str) else loaded.columns.names
    known = {name for each in names for name in each}
    rules = loaded.description.values  # noqa: PD011  (it is no table)
    formats = {each.column: each.format for each in rules.date_formats}
    formats |= {each.column: formats[each.to] for each in rules.rename if each.to in formats}
    values: list[dict[str, Any]] = []
    texts: list[str] = []
    for place, row in enumerate(rows):
        if isinstance(row, str) and loaded.rows is None:
            texts.append(pick_text(row, place))
            continue
        if not isinstance(row, Mapping):
            raise RowError(place, "", f"it is a {type(row).__name__}, not values by column")
        unknown = next((column for column in row if column not in known), None)
        if unknown is not None and unknown_columns == "refuse":
            raise RowError(place, str(unknown), "the model does not use this column")
        if isinstance(loaded.columns, str):
            texts.append(pick_text(row.get(loaded.columns), place, loaded.columns))
        else:
            values.append({name: simplify(row[name], formats.get(name)) for name in row})
    inputs = texts if loaded.rows is None else type_rows(loaded, values)
    return [each | {"model_version": loaded.version} for each in answer(loaded, inputs)]


def pick_text(text: object, place: int, column: str = "") -> str:
    """Return the message of a row.

    Raises
    ------
    RowError
        If it is missing or cannot be scored.
    """
    reason, detail = inspect_text(text)
    if reason:
        raise RowError(place, column, f"{reason}{f' ({detail})' if detail else ''}")
    return str(text)


def simplify(value: Any, date_format: str | None) -> Any:
    """Return a value of NumPy or pandas as one of Python, a time without its zone, in UTC.

    ``date_format`` is the format of the column's dates, None if they are ISO 8601 or no dates.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if date_format is not None and isinstance(value, str):
        value = read_date(value, date_format)
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return None
    return drop_zone(value) if isinstance(value, datetime) else value


def drop_zone(time: datetime) -> datetime:
    """Return a time without its zone, in UTC if it has one."""
    return time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time


def read_date(text: str, date_format: str) -> str | datetime:
    """Return a date of ISO 8601 as what it means, and any other text as it is.

    A text in the column's own format is one, too, and is left to the rules for files.
    """
    with suppress(ValueError):
        datetime.strptime(text, date_format)  # noqa: DTZ007  (only whether it can be read)
        return text
    with suppress(ValueError):
        return drop_zone(datetime.fromisoformat(text))
    return text
