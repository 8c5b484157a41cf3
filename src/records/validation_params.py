"""The section ``data_validation`` of params.yaml: format and limits of the raw data."""

import re
from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, Field, PositiveInt, model_validator

from core.params import Params
from records.schema import Encoding, Name, Share, find_repeated

# Names of a constraint's limits.
LIMITS = ("above", "below", "minimum", "maximum")


class NumberFormat(NamedTuple):
    """How numbers are written: decimal sign, separator of thousands, signs without a meaning."""

    decimal: str = "."
    thousands: str = ""
    signs: Sequence[str] = ()

    @property
    def pattern(self) -> str:
        """A regular expression for the whole of a number.

        A separator of thousands counts only between groups of three digits: where ',' is one,
        '1,5' is not 15.
        """
        decimal, thousands = re.escape(self.decimal), re.escape(self.thousands)
        whole = f"[0-9]{{1,3}}({thousands}[0-9]{{3}})+|[0-9]+" if self.thousands else "[0-9]+"
        return f"[+-]?(({whole})({decimal}[0-9]*)?|{decimal}[0-9]+)([eE][+-]?[0-9]+)?"


def check_pattern(pattern: str) -> str:
    """Return a regular expression, or raise ``ValueError``."""
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"not a regular expression ({error})") from error
    return pattern


class Constraint(Params):
    """What the values of one column must be; missing values only break ``required``."""

    column: Name
    above: float | None = None
    below: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    allowed: tuple[Name, ...] = ()
    pattern: Annotated[str, AfterValidator(check_pattern)] | None = None
    unique: bool = False
    required: bool = False

    @property
    def limits(self) -> dict[str, float]:
        """The limits that are given, by their names in ``LIMITS``."""
        return {name: getattr(self, name) for name in LIMITS if getattr(self, name) is not None}

    @model_validator(mode="after")
    def does_something(self) -> "Constraint":
        """Raise ``ValueError`` if nothing is required of the column."""
        if not self.model_fields_set - {"column"}:
            raise ValueError(f"column {self.column!r} has no constraint: add one, such as above: 0")
        return self


class Rename(Params):
    """A column of the data, and the name that the pipeline uses for it."""

    column: Name
    to: Name


class DateFormat(Params):
    """The format of a column of dates, as in Python's strptime."""

    column: Name
    format: str = Field(pattern="%")


class Leakage(Params):
    """When a column gives the target away, and the columns that may."""

    max_score: Share
    allow: list[Name]


class ValidationParams(Params):
    """The section itself."""

    format: Literal["delimited", "jsonl", "parquet", "excel"]
    encoding: Encoding
    separator: str = Field(min_length=1, max_length=1)
    quoting: bool
    columns: list[Name] | None
    rename: list[Rename]
    null_markers: list[Name]
    decimal: str = Field(min_length=1, max_length=1)
    thousands: str = Field(max_length=1)
    number_signs: list[Annotated[Name, Field(min_length=1)]]
    date_formats: list[DateFormat]
    constraints: list[Constraint]
    min_length: PositiveInt
    max_length: PositiveInt
    max_rejected_share: Share
    min_rows_per_label: PositiveInt
    leakage: Leakage

    @model_validator(mode="after")
    def values_agree(self) -> "ValidationParams":
        """Raise ``ValueError`` if parameters contradict each other."""
        if repeated := find_repeated(self.columns or ()):
            raise ValueError(f"columns names {repeated!r} more than once")
        if repeated := find_repeated([each.column for each in self.date_formats]):
            raise ValueError(f"date_formats names {repeated!r} more than once")
        if self.decimal == self.thousands:
            raise ValueError("decimal and thousands are the same")
        if self.min_length > self.max_length:
            raise ValueError("min_length is above max_length")
        return self

    @property
    def numbers(self) -> NumberFormat:
        """How numbers are written."""
        return NumberFormat(self.decimal, self.thousands, tuple(self.number_signs))
