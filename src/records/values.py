"""Turn a column as it was read into typed values, and find those that cannot be.

A column is read as text, as Python's objects (JSON lines, Excel: text, numbers and dates side by
side) or with a type of Arrow (Parquet).
"""

import datetime
import json
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from records.validation_params import NumberFormat

# Why values are rejected, and whether each row has such a value.
Problem = tuple[str, np.ndarray]
Parsed = tuple[pd.Series, list[Problem]]

# Features are stored as float32, which holds no larger numbers.
LARGEST = float(np.finfo(np.float32).max)
INFINITE = r"[+-]?([iI][nN][fF]([iI][nN][iI][tT][yY])?|∞)"


def find_arrow_type(values: pd.Series) -> pa.DataType | None:
    """Return the type of a column of Arrow other than text, None for any other column."""
    return values.dtype.pyarrow_dtype if isinstance(values.dtype, pd.ArrowDtype) else None


def show_value(value: Any) -> str:
    """Return one value as text, as JSON writes it."""
    if isinstance(value, bool | list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def to_text(values: pd.Series) -> pd.Series:
    """Return a column as text, with NaN for missing values."""
    if values.dtype == "str":
        return values
    if find_arrow_type(values) is not None:
        try:
            return pd.Series(pc.cast(pa.array(values), pa.string()), values.index, "str")
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid):  # such as lists, or bytes
            values = values.astype("object")
    return values.map(show_value, na_action="ignore").astype("str")


def strip_blanks(values: pd.Series, null_markers: Sequence[str]) -> pd.Series:
    """Return text without blanks around it, and NaN where nothing or a null marker is left."""
    stripped = to_text(values).str.strip()
    return stripped.where(~stripped.isin(["", *null_markers]))


def apply_to_text(
    values: pd.Series,
    of_type: Callable[[Any], bool],
    convert: Callable[[Any], Any],
    parse: Callable[[pd.Series], Parsed],
    null_markers: Sequence[str],
) -> Parsed:
    """Convert the objects of a type one by one, and parse all other values as text."""
    is_typed = np.array([of_type(value) for value in values], bool)
    parsed, problems = parse(strip_blanks(values.mask(is_typed), null_markers))
    typed = pd.Series([convert(value) for value in values[is_typed]], dtype=parsed.dtype)
    parsed.loc[is_typed] = typed.to_numpy()
    return parsed, problems


def to_float(value: float) -> float:
    """Return a number as float; a whole number may be too large for one."""
    try:
        return float(value)
    except OverflowError:
        return math.inf


def parse_numbers(
    values: pd.Series, number_format: NumberFormat, null_markers: Sequence[str] = ()
) -> Parsed:
    """Return a column as float64, and the values that are no numbers, infinite or too large."""

    def parse(text: pd.Series) -> Parsed:
        return parse_number_text(text, number_format)

    if find_arrow_type(values) is not None:
        try:
            cast = pc.cast(pa.array(values), pa.float64(), safe=False)
            numbers = pd.Series(np.array(cast.to_numpy(zero_copy_only=False)), values.index)
        except pa.ArrowNotImplementedError:  # such as a date
            return parse(strip_blanks(values, null_markers))
        problems: list[Problem] = []
    elif values.dtype == "object":
        if all(value is None or isinstance(value, int | float) for value in values):
            # A row with thousands of columns would take seconds as text.
            found = [math.nan if value is None else to_float(value) for value in values]
            numbers, problems = pd.Series(found, values.index, float), []
        else:
            numbers, problems = apply_to_text(
                values, lambda value: isinstance(value, int | float), to_float, parse, null_markers
            )
    elif not null_markers and (plain := cast_plain(values, number_format)) is not None:
        numbers, problems = plain, []
    else:
        numbers, problems = parse(strip_blanks(values, null_markers))
    sizes = np.abs(numbers.to_numpy())
    is_over, is_infinite = sizes > LARGEST, np.isinf(sizes)
    if not is_over.any():
        return numbers, problems
    problems += [("infinite number", is_infinite), ("number too large", is_over & ~is_infinite)]
    return numbers.mask(is_over), problems


def cast_numbers(text: pd.Series) -> np.ndarray:
    """Return text as float64; Arrow's parser rounds correctly, as Python's does."""
    # A copy, because Arrow's own memory is read-only.
    return np.array(pc.cast(pa.array(text), pa.float64()).to_numpy(zero_copy_only=False))


def cast_plain(text: pd.Series, number_format: NumberFormat) -> pd.Series | None:
    """Return text as float64 if all of it is written as Arrow reads numbers, else None."""
    if number_format != NumberFormat():
        return None
    try:
        numbers = cast_numbers(text)
    except pa.ArrowInvalid:
        return None
    # Arrow reads 'nan' as a number.
    return None if (np.isnan(numbers) & text.notna()).any() else pd.Series(numbers, text.index)


def parse_number_text(text: pd.Series, number_format: NumberFormat) -> Parsed:
    """Parse numbers written as text, without blanks around them."""
    if (plain := cast_plain(text, number_format)) is not None:
        return plain, []
    is_missing = text.isna().to_numpy()
    for sign in number_format.signs:
        text = text.str.replace(sign, "", regex=False)
    text = text.str.strip()
    is_number = text.str.fullmatch(number_format.pattern, na=False).to_numpy(bool)
    is_infinite = text.str.fullmatch(INFINITE, na=False).to_numpy(bool)
    plain = text.where(is_number)
    if number_format.thousands:
        plain = plain.str.replace(number_format.thousands, "", regex=False)
    plain = plain.str.replace(number_format.decimal, ".", regex=False)
    numbers = cast_numbers(plain)
    numbers[is_infinite] = math.inf
    is_other = ~is_missing & ~is_number & ~is_infinite
    return pd.Series(numbers, text.index), [("not a number", is_other)]


def parse_dates(
    values: pd.Series, date_format: str | None, null_markers: Sequence[str] = ()
) -> Parsed:
    """Return a column as datetime64 without time zone, and the values that are no such dates.

    Times with an offset are converted to UTC. Without ``date_format`` dates are ISO 8601.
    """

    def parse(text: pd.Series) -> Parsed:
        # Pandas reads 'now' and 'today' as the time at which it does.
        text_or_none = text.where(text.str.contains("[0-9]", na=False))
        dates = pd.to_datetime(
            text_or_none, format=date_format or "ISO8601", errors="coerce", utc=True
        )
        written = f"not a date like {date_format}" if date_format else "not a date"
        problem = (written, (dates.isna() & text.notna()).to_numpy())
        return dates.dt.tz_localize(None).astype("datetime64[us]"), [problem]

    arrow_type = find_arrow_type(values)
    if arrow_type is not None and pa.types.is_temporal(arrow_type):
        try:
            dates = pc.cast(pa.array(values), pa.timestamp("us"), safe=False)
            return pd.Series(np.array(dates.to_numpy(zero_copy_only=False)), values.index), []
        except pa.ArrowNotImplementedError:  # a time of day
            pass
    if values.dtype == "object":
        return apply_to_text(
            values,
            lambda value: isinstance(value, datetime.date),
            pd.Timestamp,
            parse,
            null_markers,
        )
    return parse(strip_blanks(values, null_markers))


def parse_categories(values: pd.Series, null_markers: Sequence[str] = ()) -> Parsed:
    """Return a column as text without blanks around it, NaN for missing values."""
    return strip_blanks(values, null_markers), [("nested value", is_nested(values))]


def parse_ordinals(
    values: pd.Series, order: Sequence[str], null_markers: Sequence[str] = ()
) -> Parsed:
    """Return a column as text, and the values that are not among those of ``order``."""
    text = strip_blanks(values, null_markers)
    is_other = text.notna() & ~text.isin(order)
    return text, [("value not in its order", is_other.to_numpy(bool))]


def parse_ids(values: pd.Series) -> Parsed:
    """Return a column as text as it was received, NaN for missing values."""
    text = to_text(values)
    return text.where(text != ""), []


def parse_texts(values: pd.Series, null_markers: Sequence[str] = ()) -> Parsed:
    """Return a column as text as it was received, '' for missing values."""
    text = to_text(values).fillna("")
    if null_markers:
        text = text.mask(text.str.strip().isin(null_markers), "")
    problems = [("nested value", is_nested(values))]
    if values.dtype != "str":
        problems.append(("NUL character", text.str.contains("\0", regex=False).to_numpy(bool)))
    return text, problems


def is_nested(values: pd.Series) -> np.ndarray:
    """Return which values are lists or objects."""
    arrow_type = find_arrow_type(values)
    if values.dtype == "object" or (arrow_type is not None and pa.types.is_nested(arrow_type)):
        return np.array([isinstance(value, list | dict | np.ndarray) for value in values], bool)
    return np.zeros(len(values), bool)
