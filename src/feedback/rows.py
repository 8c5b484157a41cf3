"""Corrections as rows: their values by column, as text to write and as the types of the schema."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from core.errors import UserError
from feedback.source import Source
from feedback.store import Correction
from records.checks import Rejections, check_values
from records.raw_tables import make_column, stack
from records.tasks import TASKS
from text.normalise import normalise_text


@dataclass(frozen=True)
class Row:
    """A correction, and its cells by the names that the pipeline gives the columns."""

    correction: Correction
    cells: dict[str, Any]


def pick_row(correction: Correction, source: Source) -> Row:
    """Return a correction as a row of the source.

    White space in texts becomes single blanks, as in preprocessing. Columns that are no features
    may be missing.

    Raises
    ------
    UserError
        If the correction lacks a feature, its answer is not for this task, or a date cannot be
        written as the source does.
    """
    schema = source.schema
    has_label = isinstance(correction.answer, str)
    if has_label != TASKS[schema.task].has_classes:
        given, wanted = ("label", "number") if has_label else ("number", "label")
        raise UserError(f"its answer is a {given}, but task {schema.task} needs a {wanted}")
    inputs = correction.inputs
    if isinstance(inputs, str):
        if not schema.is_messages:
            raise UserError("it is a message, not a row of the schema's columns")
        inputs = {schema.text[0]: inputs}
    new = dict(zip(source.columns, source.names, strict=True))
    values = {new.get(name, name): value for name, value in inputs.items()}
    if missing := [name for name in schema.features if name not in values]:
        raise UserError(f"it has no value of column {missing[0]!r}, not even an empty one")
    for name in schema.text:
        if isinstance(values[name], str):
            values[name] = " ".join(values[name].split())
    for each in source.params.date_formats:
        if each.column in schema.date:
            values[each.column] = write_date(values[each.column], each.column, each.format)
    return Row(correction, {**values, schema.target: correction.answer})


def write_date(value: Any, column: str, date_format: str) -> Any:
    """Return a date in ``date_format``; it may be in ISO 8601.

    A value that is no date stays as it is.

    Raises
    ------
    UserError
        If the format would lose a part of it, such as the time of day.
    """
    if not isinstance(value, str) or is_known(parse_date(value, date_format)):
        return value
    date = parse_date(value, "ISO8601")
    if not is_known(date):
        return value
    written = date.strftime(date_format)
    if parse_date(written, date_format) != date:
        raise UserError(f"{column}: {value!r} cannot be written as {date_format}")
    return written


def parse_date(value: str, date_format: str) -> Any:
    """Return a date in UTC, NaT if it is none."""
    return pd.to_datetime(value.strip(), format=date_format, errors="coerce", utc=True)


def is_known(value: Any) -> bool:
    """Return whether a typed value is not missing."""
    return not pd.isna(value)


def type_rows(rows: list[Row], source: Source) -> tuple[pd.DataFrame, list[str]]:
    """Return the features as the types of the schema, and why a row has a value without one.

    The index of the features is the number of the correction.
    """
    schema = source.schema
    rejections = Rejections(len(rows))
    raw = stack(
        [make_column([row.cells[name] for row in rows]) for name in schema.features],
        schema.features,
    )
    columns = check_values(raw, schema.features, rejections, schema, source.params, lambda *_: None)
    found = zip(rejections.reasons, rejections.details, strict=True)
    typed = pd.DataFrame(columns).set_axis([row.correction.id for row in rows])
    return typed, [f"{reason} {detail}".strip() for reason, detail in found]


def find_newest(typed: pd.DataFrame, texts: list[str]) -> list[int]:
    """Return the place of the last of each set of equal rows; texts are equal once normalised."""
    compared = typed.assign(**{name: typed[name].map(normalise_text) for name in texts})
    return (~compared.duplicated(keep="last")).to_numpy().nonzero()[0].tolist()
