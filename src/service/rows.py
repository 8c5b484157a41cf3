"""What a row of the served model is: a pydantic model with a field for each column."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    create_model,
)

from models.answers import read_date
from models.description import Column, Description
from records.formats import is_encodable
from records.values import LARGEST
from service.problems import MAX_ERRORS
from service.schemas import BATCH_SIZE, MAX_KEYS, TEXT_LENGTH, Text

# Characters of a category or a date.
VALUE_LENGTH = 1_000
# Values of all rows of a request, with the probabilities in its answer.
REQUEST_VALUES = 100_000
# The time of dates that are days.
MIDNIGHT = "T00:00:00"
# How many values of a category its description names, and how many characters of each.
SHOWN_VALUES = 5
SHOWN_LENGTH = 40
# The names in JSON Schema of a constraint's limits.
BOUNDS = {
    "above": "exclusiveMinimum",
    "below": "exclusiveMaximum",
    "minimum": "minimum",
    "maximum": "maximum",
}
ISO_DATES = {"anyOf": [{"type": "string", "format": kind} for kind in ("date", "date-time")]}


def check_unicode(text: str) -> str:
    """Return a text that can be stored, or raise ``ValueError``."""
    if not is_encodable(text):
        raise ValueError("not valid Unicode")
    return text


NUMBER = Annotated[float, Field(allow_inf_nan=False, ge=-LARGEST, le=LARGEST)]
STRING = Annotated[str, Field(max_length=VALUE_LENGTH), AfterValidator(check_unicode)]
LONG_TEXT = Annotated[str, Field(max_length=TEXT_LENGTH), AfterValidator(check_unicode)]


def merge_constraints(description: Description) -> dict[str, dict[str, Any]]:
    """Return what the values of each column must be, by the names of ``Constraint``."""
    merged: dict[str, dict[str, Any]] = {}
    for each in description.values.constraints:
        merged.setdefault(each.column, {}).update(each.model_dump(exclude_defaults=True))
    return merged


def is_required(column: Column, constraint: Mapping[str, Any]) -> bool:
    """Return whether a value must not be missing."""
    return column.is_needed or bool(constraint.get("required"))


def build_type(column: Column, constraint: Mapping[str, Any], date_format: str | None) -> Any:
    """Return the type of a column's values.

    Constraints only show in its description: the rules for files check them.
    """
    extra: dict[str, Any] = {BOUNDS[n]: constraint[n] for n in BOUNDS if n in constraint}
    found: Any
    if column.kind == "number":
        found = Annotated[NUMBER, Field(json_schema_extra=extra)] if extra else NUMBER
    elif column.kind == "ordinal":
        found = Literal[tuple(column.values)]
    elif column.kind == "date":
        length = Field(min_length=1, max_length=VALUE_LENGTH)
        found = Annotated[str, length, AfterValidator(check_unicode), WithJsonSchema(ISO_DATES)]
        if date_format:
            found = Annotated[found, AfterValidator(lambda text: read_date(text, date_format))]
    else:
        if "allowed" in constraint:
            extra["enum"] = list(constraint["allowed"])
        if "pattern" in constraint:
            extra["pattern"] = f"^(?:{constraint['pattern']})$"
        elif is_required(column, constraint):
            extra["pattern"] = r"\S"
        kind = LONG_TEXT if column.kind == "text" else STRING
        found = Annotated[kind, Field(json_schema_extra=extra)]
    return found if is_required(column, constraint) else found | None


def describe(column: Column, date_format: str | None) -> str:
    """Return a sentence about the values of a column."""
    unit = f" in {column.unit}" if column.unit else ""
    words = {"text": "A text", "category": "A category", "ordinal": "An ordered category"}
    start = words.get(column.kind, f"A {column.kind}") + unit
    if column.kind == "date":
        start += f", as ISO 8601 or like {date_format}" if date_format else ", as ISO 8601"
    if column.minimum is not None:
        start += f"; {shorten(column.minimum)} to {shorten(column.maximum)} in the training data"
    elif column.kind == "category" and column.values:
        shown = ", ".join(map(shorten, column.values[:SHOWN_VALUES]))
        n_more = column.n_values - len(column.values[:SHOWN_VALUES])
        start += f"; in the training data {shown}{f' and {n_more:,} more' if n_more > 0 else ''}"
    return start


def shorten(value: float | str | None) -> str:
    """Return a value for people."""
    if not isinstance(value, str):
        return f"{value:g}"
    value = value.removesuffix(MIDNIGHT)
    return value if len(value) <= SHOWN_LENGTH else f"{value[:SHOWN_LENGTH]}..."


def make_example(column: Column) -> float | str | None:
    """Return a value that a row may have."""
    if column.kind == "text":
        return "A text"
    return column.usual.removesuffix(MIDNIGHT) if isinstance(column.usual, str) else column.usual


@dataclass(frozen=True)
class RowRules:
    """What the rows of requests must be.

    Attributes
    ----------
    model : type
        The values of a row by column, as the source names it.
    formats : dict of str to str
        The columns whose dates have a format of their own, by the pipeline's names.
    renamed : dict of str to str
        The column of each other name that a request may use.
    example : dict
        A row.
    columns : dict of str to Column
        What is known about each column.
    texts : list of int
        The places of the texts among the columns.
    required : set of str
        The columns whose values must not be missing.
    max_rows : int
        How many rows a request may have.
    """

    model: type[BaseModel]
    columns: Mapping[str, Column]
    texts: list[int]
    required: frozenset[str]
    formats: Mapping[str, str]
    renamed: Mapping[str, str]
    example: dict[str, Any]
    max_rows: int

    def check(
        self, rows: list[Any], place: tuple[str | int, ...], ignores: bool
    ) -> tuple[list[list], list[dict]]:
        """Return the values of each row, or the records of the first errors.

        Parameters
        ----------
        rows : list
            What a request has as its rows.
        place : tuple
            Where the first one is in the request: its key, and 0 if there is a list.
        ignores : bool
            Whether a row may have other columns.
        """
        values: list[list] = []
        errors: list[dict] = []
        validator = self.model.__pydantic_validator__
        for number, row in enumerate(rows):
            at = ("body", *place[:1], *([number] if len(place) > 1 else []))
            if not isinstance(row, dict):
                errors.append(make_error(at, "must be an object with a value for each column"))
            else:
                named = self.rename(row)
                if not ignores and (unknown := named.keys() - self.columns.keys()):
                    errors += refuse_unknown(unknown, at)
                try:
                    values.append(list(validator.validate_python(named).__dict__.values()))
                except ValidationError as error:
                    found = error.errors(include_url=False, include_input=False)
                    errors += [{**each, "loc": (*at, *each["loc"][:1])} for each in found]
            if len(errors) >= MAX_ERRORS:
                break
        return values, errors

    def name_values(self, values: list[Any]) -> dict[str, Any]:
        """Return the values of a row by column, as the source has them."""
        return {
            name: value.strftime(self.formats[column.name])
            if isinstance(value, datetime)
            else value
            for (name, column), value in zip(self.columns.items(), values, strict=True)
        }

    def rename(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return a row with the columns' names in the source."""
        if self.renamed.keys().isdisjoint(row):
            return row
        names = {key: self.renamed.get(key, key) for key in row}
        return {key if names[key] in row else names[key]: row[key] for key in row}


def make_error(place: tuple[str | int, ...], reason: str) -> dict[str, Any]:
    """Return an error record as pydantic's."""
    return {"type": "value_error", "loc": place, "msg": reason}


def refuse_unknown(unknown: Collection[str], place: tuple[str | int, ...]) -> list[dict]:
    """Return the error records for columns that the model does not have."""
    if len(unknown) > MAX_KEYS:
        return [make_error(place, f"has {len(unknown):,} columns that the model does not have")]
    reason = 'is no column of the model: leave it out, or send "unknown_columns": "ignore"'
    return [make_error((*place, name), reason) for name in sorted(unknown)]


def build_row_rules(description: Description) -> RowRules:
    """Return what rows must be, as a model's description says."""
    columns, constraints = description.columns, merge_constraints(description)
    formats = {each.column: each.format for each in description.values.date_formats}
    source = description.source_names
    names = list(source.values())
    is_messages = description.is_messages
    fields: dict[str, Any] = {}
    for number, (column, name) in enumerate(zip(columns, names, strict=True)):
        date_format = formats.get(column.name)
        kind = Text
        if not is_messages:
            kind = build_type(column, constraints.get(column.name, {}), date_format)
        field = Field(alias=name, title=name, description=describe(column, date_format))
        fields[f"column_{number}"] = (kind, field)
    example = dict(zip(names, map(make_example, columns), strict=True))
    extra: Any = {"additionalProperties": False, "examples": [example]}
    # Keys that are no column are found elsewhere: thousands of errors would take long to make.
    config = ConfigDict(strict=True, extra="ignore", json_schema_extra=extra)
    n_values = len(columns) + len(description.classes)
    return RowRules(
        create_model("Row", __config__=config, __doc__="A row of the table.", **fields),
        dict(zip(names, columns, strict=True)),
        [place for place, column in enumerate(columns) if column.kind == "text"],
        frozenset(
            name
            for column, name in zip(columns, names, strict=True)
            if is_required(column, constraints.get(column.name, {}))
        ),
        formats,
        {own: name for own, name in source.items() if own not in names},
        example,
        max(1, min(BATCH_SIZE, REQUEST_VALUES // n_values)),
    )
