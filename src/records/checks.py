"""Turn the columns that were read into the typed columns of the schema, and find rows to reject."""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.errors import UserError
from records.raw_tables import RawTable
from records.schema import Schema
from records.tasks import TASKS
from records.validation_params import Constraint, ValidationParams
from records.values import (
    Parsed,
    Problem,
    parse_categories,
    parse_dates,
    parse_ids,
    parse_numbers,
    parse_ordinals,
    parse_texts,
    show_value,
    strip_blanks,
    to_text,
)

# Compares a value with a limit; what a value that does not pass is.
LIMITS = {
    "above": (operator.gt, "too small"),
    "below": (operator.lt, "too large"),
    "minimum": (operator.ge, "too small"),
    "maximum": (operator.le, "too large"),
}
# How many characters of a value a detail shows.
SHOWN_LENGTH = 100


@dataclass(frozen=True)
class CheckedTable:
    """Typed columns, and why each row is rejected.

    Attributes
    ----------
    columns : DataFrame of shape (n_rows, n_columns)
        The target, the features and the ids, in the order of the schema.
    reasons, details : ndarray of object, shape (n_rows,)
        Texts, '' for a row that is valid.
    n_stripped : int
        How many rows had blanks around their label.
    """

    columns: pd.DataFrame
    reasons: np.ndarray
    details: np.ndarray
    n_stripped: int


class Rejections:
    """Why each row is rejected: the first reason that was added for it, and its column."""

    def __init__(self, n_rows: int) -> None:
        self.reasons = np.full(n_rows, "", object)
        self.details = np.full(n_rows, "", object)
        self.columns = np.full(n_rows, "", object)

    def add(
        self, reason: str, has_it: np.ndarray, describe: Callable[[int], str], column: str = ""
    ) -> None:
        """Reject rows; ``describe`` returns the detail of a row, from its place."""
        for place in np.flatnonzero(has_it).tolist():
            if not self.reasons[place]:
                self.reasons[place] = reason
                self.details[place] = describe(place)
                self.columns[place] = column


def name_value(column: str, values: pd.Series) -> Callable[[int], str]:
    """Return a function that shows a column's name and its value in a row."""

    def show(place: int) -> str:
        value = values.iloc[place]
        is_missing = not isinstance(value, list | dict | np.ndarray) and pd.isna(value)
        return f"{column}:" if is_missing else f"{column}: {show_value(value)[:SHOWN_LENGTH]!r}"

    return show


def parse_column(
    column: str, kind: str, values: pd.Series, schema: Schema, params: ValidationParams
) -> Parsed:
    """Turn a feature or an id into its type; see ``records.values``."""
    nulls = params.null_markers
    formats = {each.column: each.format for each in params.date_formats}
    orders = {each.column: each.order for each in schema.ordinal}
    parsers: dict[str, Callable[[], Parsed]] = {
        "text": lambda: parse_texts(values, nulls),
        "number": lambda: parse_numbers(values, params.numbers, nulls),
        "category": lambda: parse_categories(values, nulls),
        "ordinal": lambda: parse_ordinals(values, orders[column], nulls),
        "date": lambda: parse_dates(values, formats.get(column), nulls),
        "id": lambda: parse_ids(values),
    }
    return parsers[kind]()


def find_broken(values: pd.Series, constraint: Constraint) -> list[Problem]:
    """Return which typed values break a constraint.

    Parameters
    ----------
    values : Series, shape (n_rows,)
        A number for limits; an empty text counts as missing.
    constraint : Constraint
        The constraint of that column. Missing values break it only if it has ``required``.

    Returns
    -------
    list of (str, ndarray of bool)
        The reason for rejection, and the rows that it holds for.
    """
    is_missing = values.isna().to_numpy()
    if values.dtype == "str":
        is_missing = is_missing | (values == "").to_numpy(bool)
    problems = []
    if constraint.required:
        problems.append(("missing value", is_missing))
    for name, limit in constraint.limits.items():
        compare, words = LIMITS[name]
        broken = ~compare(values.to_numpy(float), limit) & ~is_missing
        problems.append((f"{words}, {name} is {limit:g}", broken))
    if constraint.allowed:
        is_allowed = values.isin(constraint.allowed).to_numpy(bool)
        problems.append(("value not allowed", ~is_allowed & ~is_missing))
    if constraint.pattern is not None:
        matches = values.astype("str").str.fullmatch(constraint.pattern, na=True).to_numpy(bool)
        problems.append(("value not like the pattern", ~matches & ~is_missing))
    if constraint.unique:
        problems.append(("value not unique", values.duplicated().to_numpy() & ~is_missing))
    return problems


def check_names(schema: Schema, params: ValidationParams) -> None:
    """Raise ``UserError`` if parameters name a column that does not exist or has another kind."""
    number = [*schema.number, *([] if TASKS[schema.task].has_classes else [schema.target])]
    known = [schema.target, *(name for name, kind in schema.kinds.items() if kind != "drop")]
    for constraint in params.constraints:
        if constraint.column not in known:
            raise UserError(
                f"data_validation.constraints names the column {constraint.column!r}, which the "
                "schema does not use",
                "correct the name, or remove it",
            )
        if constraint.limits and constraint.column not in number:
            raise UserError(
                f"data_validation.constraints has {next(iter(constraint.limits))} for "
                f"{constraint.column!r}, which is not a number in the schema",
                "remove it, or move the column to schema.number",
            )
        if constraint.column in number and (constraint.allowed or constraint.pattern is not None):
            raise UserError(
                f"data_validation.constraints has allowed or pattern for {constraint.column!r}, "
                "which is a number in the schema",
                "use minimum and maximum, or move the column to schema.category",
            )
    for each in params.date_formats:
        if schema.kinds.get(each.column) not in ("date", "drop"):
            raise UserError(
                f"data_validation.date_formats names {each.column!r}, which is not in schema.date",
                "correct the name, or move the column to schema.date",
            )
    for column in params.leakage.allow:
        if column not in schema.kinds:
            raise UserError(
                f"data_validation.leakage.allow names {column!r}, which the schema does not have",
                "correct the name, or remove it",
            )


def check_texts(
    column: str, texts: pd.Series, rejections: Rejections, schema: Schema, params: ValidationParams
) -> None:
    """Reject rows whose text is too short or too long, and empty ones if it is the only feature."""
    # Not pandas' own functions: what a blank is differs from Python's.
    is_empty = np.array([not text.strip() for text in texts], bool)
    lengths = np.array([len(text) for text in texts], int)
    name = "" if schema.is_messages else f"{column}: "
    short, long = params.min_length, params.max_length
    if schema.is_messages:
        rejections.add("empty text", is_empty, lambda _: "")
    rejections.add(
        "text too short",
        (lengths < short) & ~is_empty,
        lambda place: f"{name}{lengths[place]} characters, at least {short}",
    )
    rejections.add(
        "text too long",
        lengths > long,
        lambda place: f"{name}{lengths[place]} characters, at most {long}",
    )


def check_target(
    values: pd.Series, rejections: Rejections, schema: Schema, params: ValidationParams
) -> tuple[pd.Series, int]:
    """Return the typed target, and how many labels had blanks around them."""
    task = TASKS[schema.task]
    text = to_text(values)
    is_missing = strip_blanks(values, params.null_markers).isna()
    typed, reasons = task.check_target(
        text.mask(is_missing),
        schema,
        lambda: parse_numbers(values, params.numbers, params.null_markers),
    )
    show = name_value(schema.target, values)
    if task.has_classes:
        # The reason names the label already, so the detail is the value alone.
        def show(place: int) -> str:
            return "" if is_missing.iloc[place] else repr(text.iloc[place])

    for reason in reasons[reasons != ""].unique():
        rejections.add(reason, (reasons == reason).to_numpy(bool), show)
    if not task.has_classes:
        return typed, 0
    return typed, int((typed.notna() & (typed.astype("str") != text)).sum())


def check_rows(table: RawTable, schema: Schema, params: ValidationParams) -> CheckedTable:
    """Check the values of each column: their type, their constraints, the length of texts.

    Raises
    ------
    UserError
        If the task does not fit the target.
    """
    raw = table.columns
    rejections = Rejections(len(raw))
    target, n_stripped = check_target(raw[schema.target], rejections, schema, params)
    columns = {schema.target: target}
    used = [column for column, kind in schema.kinds.items() if kind != "drop"]
    columns |= check_values(
        raw,
        used,
        rejections,
        schema,
        params,
        lambda column, texts: check_texts(column, texts, rejections, schema, params),
    )
    check_constraints(raw, columns, params.constraints, rejections)
    return CheckedTable(pd.DataFrame(columns), rejections.reasons, rejections.details, n_stripped)


def check_values(
    raw: pd.DataFrame,
    used: Sequence[str],
    rejections: Rejections,
    schema: Schema,
    params: ValidationParams,
    check_text: Callable[[str, pd.Series], None],
) -> dict[str, pd.Series]:
    """Return the typed columns of features and ids, and reject rows whose values have no type.

    ``check_text`` rejects rows by the length of a text.
    """
    columns, kinds = {}, schema.kinds
    for column in used:
        kind = kinds[column]
        columns[column], problems = parse_column(column, kind, raw[column], schema, params)
        for reason, has_it in problems:
            rejections.add(reason, has_it, name_value(column, raw[column]), column)
        if kind == "text":
            check_text(column, columns[column])
    return columns


def check_constraints(
    raw: pd.DataFrame,
    columns: Mapping[str, pd.Series],
    constraints: Sequence[Constraint],
    rejections: Rejections,
) -> None:
    """Reject rows whose typed values break a constraint."""
    for constraint in constraints:
        show = name_value(constraint.column, raw[constraint.column])
        for reason, has_it in find_broken(columns[constraint.column], constraint):
            rejections.add(reason, has_it, show, constraint.column)
