"""Find out how numbers, dates and missing values are written in the columns of a file."""

import re
import time
from collections.abc import Mapping, Sequence

import pandas as pd

from core.terminal import escape_unprintable
from records.validation_params import NumberFormat
from records.values import LARGEST

SIGNS = "$€£¥₹%"
WITHOUT_SIGNS = str.maketrans("", "", SIGNS)
# Decimal sign and separator of thousands, the usual ones first.
STYLES: list[tuple[str, str]] = [
    (".", ""),
    (".", ","),
    (",", ""),
    (",", "."),
    (".", " "),
    (",", " "),
]
STYLES += [
    (".", "'"),
    (",", "'"),
    (".", "\u00a0"),
    (",", "\u00a0"),
    (".", "\u202f"),
    (",", "\u202f"),
]
# Values that often mean that there is none. Those in the first set do so in every column, those in
# the second where the others are all numbers or dates.
ALWAYS_NULL = {"NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "#N/A", "<NA>", "\\N"}
OFTEN_NULL = {"none", "nil", "missing", "unknown", "undefined", "inf", "infinity", "nan", "na"}
OFTEN_NULL |= {"-inf", "+inf", "?", "-", "--", ".", "*", "n.a.", "#div/0!", "#value!", "#ref!"}
OFTEN_NULL |= {"not available", "null", "n/a", "#n/a", "nat"}
# Only a column with at least so large a share of numbers can be one of numbers with null markers.
MIN_NUMBERS = 0.5
TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
DAY_FIRST = ("%d/%m/%Y", "%d-%m-%Y", "%d/%m/%y", "%d-%m-%y")
MONTH_FIRST = ("%m/%d/%Y", "%m-%d-%Y", "%m/%d/%y", "%m-%d-%y")
UNAMBIGUOUS = ["%d.%m.%Y", "%d.%m.%y", "%Y/%m/%d", "%Y.%m.%d", "%d %b %Y", "%d-%b-%Y", "%d-%b-%y"]
UNAMBIGUOUS += ["%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d/%b/%Y", "%a %d %b %Y"]
ISO = re.compile(r"\d{4}-\d\d(-\d\d([T ]\d\d:\d\d(:\d\d([.,]\d+)?)?(Z|[-+]\d\d:?\d\d)?)?)?")
# Dates that repeat so regularly are a series over time.
MIN_DATES = 30
MIN_COVERAGE = 0.9


def show(value: object, length: int = 40) -> str:
    """Return a value of the data for a message or a comment: on one line, and not too long."""
    text = escape_unprintable(str(value))
    return text if len(text) <= length else text[: length - 1] + "…"


def show_some(values: Sequence[object], n: int = 3) -> str:
    """Return some values for a message or a comment."""
    return ", ".join(show(value, 30) for value in values[:n]) + (", …" if len(values) > n else "")


def build_pattern(decimal: str, thousands: str) -> re.Pattern[str]:
    """Return the pattern of numbers that are written with these signs, without currency signs."""
    groups = rf"|[1-9][0-9]{{0,2}}({re.escape(thousands)}[0-9]{{3}})+" if thousands else ""
    point = re.escape(decimal)
    return re.compile(rf"[-+]?(([0-9]+{groups})({point}[0-9]*)?|{point}[0-9]+)([eE][-+]?[0-9]+)?")


# What numbers look like in every style.
LIKE_NUMBER = re.compile(rf"[-+0-9.,'\s\u00a0\u202feE{re.escape(SIGNS)}]*[0-9][^a-zA-Z]*")
PATTERNS = {style: build_pattern(*style) for style in STYLES}


def remove_signs(value: str) -> str:
    """Return a number without currency and percent signs, and without blanks around it."""
    return value.translate(WITHOUT_SIGNS).strip()


def parse_number(value: str, style: NumberFormat) -> float:
    """Return a number that matches the pattern of ``style``."""
    bare = remove_signs(value)
    if style.thousands:
        bare = bare.replace(style.thousands, "")
    return float(bare.replace(style.decimal, "."))


def find_markers(values: Sequence[str], is_value: Sequence[bool]) -> set[str] | None:
    """Return the null markers of a column whose other values are all numbers or dates.

    Parameters
    ----------
    values : sequence of str
        The different values.
    is_value : sequence of bool
        Which are numbers, or dates.

    Returns
    -------
    set of str or None
        None if the column is not one of numbers or dates.
    """
    others = {value for value, good in zip(values, is_value, strict=True) if not good}
    if len(values) - len(others) < max(1, MIN_NUMBERS * len(values)) and len(others) > 1:
        return None
    if len(others) == len(values) or not all(is_marker(value) for value in others):
        return None
    return others


def is_marker(value: str) -> bool:
    """Return whether a value may mean that there is none."""
    bare = value.strip()
    return not bare or bare in ALWAYS_NULL or bare.lower() in OFTEN_NULL


def match_numbers(values: Sequence[str], style: tuple[str, str]) -> set[str] | None:
    """Return the null markers of a column of numbers, None if it is something else."""
    pattern = PATTERNS[style]
    return find_markers(
        values, [pattern.fullmatch(remove_signs(value)) is not None for value in values]
    )


def may_be_numbers(values: Sequence[str]) -> bool:
    """Return whether the values of a column can be numbers in some style."""
    kept = [value for value in values if not is_marker(value)]
    return bool(kept) and all(map(LIKE_NUMBER.fullmatch, kept))


def choose_style(
    distinct: Mapping[str, Sequence[str]], separator: str
) -> tuple[NumberFormat, dict[str, set[str]], str]:
    """Return how numbers are written, the markers of each column of numbers, and the evidence.

    The style is that in which most columns are numbers; of equally good ones the usual one.

    Parameters
    ----------
    distinct : mapping of str to sequence of str
        The different values of each column.
    separator : str
        What separates the fields in the file.
    """
    able = {name: values for name, values in distinct.items() if may_be_numbers(values)}
    # Where a semicolon separates fields, the comma is usually the decimal sign.
    is_comma = separator == ";"
    styles = [STYLES[0], *sorted(STYLES[1:], key=lambda style: is_comma and style[0] != ",")]
    best: dict[str, set[str]] = {}
    chosen = STYLES[0]
    for each in styles:
        numbers = {name: match_numbers(values, each) for name, values in able.items()}
        matched = {name: markers for name, markers in numbers.items() if markers is not None}
        if len(matched) > len(best):
            best, chosen = matched, each
    written = [v for name, markers in best.items() for v in able[name] if v not in markers]
    signs = tuple(sign for sign in SIGNS if any(sign in value for value in written))
    style = NumberFormat(*chosen, signs)
    usable = {
        name: markers
        for name, markers in best.items()
        if all(abs(parse_number(v, style)) <= LARGEST for v in able[name] if v not in markers)
    }
    examples = [v for v in written if style.thousands and style.thousands in v]
    return style, usable, f"as in {show_some(examples, 2)}" if examples else ""


def find_date_formats(name: str, values: Sequence[str]) -> list[str]:
    """Return the date formats that fit every value, '' for ISO 8601; none if no format does."""
    stripped = [value.strip() for value in values]
    if not all(any(c.isdigit() for c in value) and len(value) <= 40 for value in stripped):
        return []
    if all(map(ISO.fullmatch, stripped)):
        dates = pd.to_datetime(pd.Series(stripped), format="ISO8601", errors="coerce", utc=True)
        return [""] if dates.notna().all() else []
    first = stripped[0]
    formats = [
        day + hours
        for day in (*UNAMBIGUOUS, *DAY_FIRST, *MONTH_FIRST)
        for hours in TIMES
        if is_date(first, day + hours)
    ]
    if re.search(r"date|day|^dt", name, re.IGNORECASE) and is_date(first, "%Y%m%d"):
        formats.append("%Y%m%d")
    return [each for each in formats if fits(stripped, each)]


def is_date(value: str, date_format: str) -> bool:
    """Return whether one value is a date in this format; much faster than ``fits``."""
    try:
        time.strptime(value, date_format)
    except ValueError:
        return False
    return True


def fits(values: Sequence[str], date_format: str) -> bool:
    """Return whether every value is a date in this format."""
    dates = pd.to_datetime(pd.Series(values, dtype="str"), format=date_format, errors="coerce")
    return bool(dates.notna().all())


def find_series(dates: pd.Series) -> str:
    """Return the evidence that rows follow one another in time, '' if they do not."""
    days = dates.drop_duplicates().sort_values()
    if dates.isna().any() or len(days) < MIN_DATES:
        return ""
    step = days.diff().median()
    if len(days) < MIN_COVERAGE * ((days.iloc[-1] - days.iloc[0]) / step + 1):
        return ""
    first, last = (f"{day:%Y-%m-%d}" for day in (days.iloc[0], days.iloc[-1]))
    return f"{len(days):,} dates without large gaps, {first} to {last}"
