"""Tests of turning columns as they were read into typed values."""

import datetime
import itertools
import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from records.validation_params import NumberFormat
from records.values import (
    LARGEST,
    parse_categories,
    parse_dates,
    parse_ids,
    parse_numbers,
    parse_ordinals,
    parse_texts,
    to_text,
)

PLAIN = NumberFormat()
GERMAN = NumberFormat(",", ".", ("€", "%"))


def texts(*values):
    return pd.Series(values, dtype="str")


def arrow(values, kind):
    return pd.Series(values, dtype=pd.ArrowDtype(kind))


def list_problems(problems):
    return {reason: np.flatnonzero(has_it).tolist() for reason, has_it in problems if has_it.any()}


@pytest.mark.parametrize("number_format", [PLAIN, NumberFormat(signs=("$",))])
def test_reads_numbers_with_blanks_around_them(number_format):
    values = texts("1", " -2.50\t", "+3e2", ".5", "4.", None, "")
    numbers, problems = parse_numbers(values, number_format)
    assert numbers.fillna(-1).tolist() == [1, -2.5, 300, 0.5, 4, -1, -1]
    assert list_problems(problems) == {}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1.234.567,89", 1234567.89),
        ("12 %", 12),
        ("€ 1.234", 1234),
        ("-5,5€", -5.5),
        ("1234", 1234),
    ],
)
def test_reads_decimal_sign_thousands_and_signs(text, number):
    numbers, problems = parse_numbers(texts(text), GERMAN)
    assert numbers.tolist() == [number]
    assert list_problems(problems) == {}


@pytest.mark.parametrize(
    "text", ["1.5", "1.23.456", "1,5,5", "1.2345", "%", "5 USD", ".123", "nan"]
)
def test_a_separator_of_thousands_in_the_wrong_place_is_no_number(text):
    _, problems = parse_numbers(texts(text), GERMAN)
    assert list_problems(problems) == {"not a number": [0]}


@pytest.mark.parametrize("text", ["1,5", "0x10", "1_000", "true", "NaN", "1e", "--1", "١", "1 2"])
def test_names_what_is_no_number(text):
    _, problems = parse_numbers(texts("1", text), PLAIN)
    assert list_problems(problems) == {"not a number": [1]}


@pytest.mark.parametrize("text", ["inf", "-Infinity", "+INF", "1e999", "∞"])
def test_names_infinite_numbers(text):
    numbers, problems = parse_numbers(texts("1", text), PLAIN)
    assert list_problems(problems) == {"infinite number": [1]}
    assert numbers.isna().tolist() == [False, True]


def test_numbers_of_python_are_not_turned_into_text(monkeypatch):
    monkeypatch.delattr("records.values.strip_blanks")
    values = pd.Series([1, None, 2.5, True, 10**400, -1e39], dtype=object)
    numbers, problems = parse_numbers(values, PLAIN, ["?"])
    assert numbers.dtype == "float64"
    assert numbers.fillna(0).tolist() == [1, 0, 2.5, 1, 0, 0]
    assert list_problems(problems) == {"infinite number": [4], "number too large": [5]}


@pytest.mark.parametrize("text", ["1e308", "-3.5e38"])
def test_names_numbers_that_features_cannot_hold(text):
    numbers, problems = parse_numbers(texts("1", text), PLAIN)
    assert list_problems(problems) == {"number too large": [1]}
    assert numbers.isna().tolist() == [False, True]


def test_null_markers_are_missing():
    numbers, problems = parse_numbers(texts("NA", " ? ", "7"), PLAIN, ["NA", "?"])
    assert numbers.isna().tolist() == [True, True, False]
    assert list_problems(problems) == {}


@given(st.lists(st.floats(-LARGEST, LARGEST)))
def test_numbers_are_read_without_rounding(values):
    numbers, _ = parse_numbers(texts(*map(repr, values)), PLAIN)
    assert numbers.tolist() == values
    # The second way, of values that Arrow alone does not accept.
    numbers, _ = parse_numbers(texts(*(f"${value!r}" for value in values)), NumberFormat(signs="$"))
    assert numbers.tolist() == values


@pytest.mark.parametrize("null_markers", [[], ["-999", "NA"]])
def test_a_number_is_read_alike_whatever_stands_in_other_rows(null_markers):
    values = ["1", "-2.5", "+3", " 4 ", "", "  ", "nan", "inf", "-Infinity", "1e400", "1e39", "x"]
    values += ["0x10", "1_000", "1,5", "1.", ".", "1e-400", "\u00a05", "5\n", "-999", "NA", None]

    def parse(*chosen):
        numbers, problems = parse_numbers(texts(*chosen), PLAIN, null_markers)
        found = [[reason for reason, has_it in problems if has_it[i]] for i in range(len(chosen))]
        return list(zip(map(repr, numbers.tolist()), found, strict=True))

    alone = {value: parse(value) for value in values}
    for pair in itertools.product(values, values):
        assert parse(*pair) == [each for value in pair for each in alone[value]]


def test_numbers_and_text_side_by_side():
    values = pd.Series([1, 2.5, "3", "x", None, True, 10**400, [1]], dtype="object")
    numbers, problems = parse_numbers(values, PLAIN)
    assert numbers.fillna(-1).tolist() == [1, 2.5, 3, -1, -1, 1, -1, -1]
    assert list_problems(problems) == {"not a number": [3, 7], "infinite number": [6]}


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([1, None, 3], pa.int64(), [1, -1, 3]),
        ([1.5, math.inf, None], pa.float32(), [1.5, -1, -1]),
        ([True, False], pa.bool_(), [1, 0]),
        ([2**60], pa.uint64(), [2**60]),
    ],
)
def test_numbers_of_arrow_keep_their_values(values, kind, expected):
    numbers, problems = parse_numbers(arrow(values, kind), PLAIN)
    assert numbers.dtype == "float64"
    assert numbers.fillna(-1).tolist() == expected
    assert list_problems(problems) == ({"infinite number": [1]} if math.inf in values else {})


def test_dates_are_iso_8601_and_times_in_utc():
    dates, problems = parse_dates(
        texts("2020-02-29", " 2020-02-29T23:30:00+02:00", "", "29.2.2020", "2021-02-29", "5"), None
    )
    shown = dates.dt.strftime("%Y-%m-%d %H:%M").fillna("-")
    assert shown.tolist() == ["2020-02-29 00:00", "2020-02-29 21:30", "-", "-", "-", "-"]
    assert list_problems(problems) == {"not a date": [3, 4, 5]}
    assert dates.dtype == "datetime64[us]"


@pytest.mark.parametrize("date_format", [None, "%d.%m.%Y"])
def test_words_for_the_time_of_reading_are_no_dates(date_format):
    dates, [(_, is_wrong)] = parse_dates(pd.Series(["now", "today", "NaT"]), date_format)
    assert dates.isna().all()
    assert is_wrong.tolist() == [True, True, True]


def test_dates_have_the_format_of_the_parameters():
    dates, problems = parse_dates(texts("3/4/20", "2020-04-03"), "%d/%m/%y")
    assert dates.dt.month.fillna(0).tolist() == [4, 0]
    assert list_problems(problems) == {"not a date like %d/%m/%y": [1]}


@pytest.mark.parametrize(
    "values",
    [
        pd.Series([pd.Timestamp("2020-04-03"), "2020-04-03", None, datetime.date(2020, 4, 3)]),
        arrow([datetime.date(2020, 4, 3)] * 2 + [None, datetime.date(2020, 4, 3)], pa.date32()),
        arrow(
            [pd.Timestamp("2020-04-03")] * 2 + [None, pd.Timestamp("2020-04-03")],
            pa.timestamp("ns"),
        ),
    ],
    ids=["objects", "dates", "timestamps"],
)
def test_dates_of_other_formats_keep_their_values(values):
    dates, problems = parse_dates(values, None)
    assert dates.dtype == "datetime64[us]"
    assert dates.isna().tolist() == [False, False, True, False]
    assert dates.dropna().unique().tolist() == [pd.Timestamp("2020-04-03")]
    assert list_problems(problems) == {}


def test_categories_have_no_blanks_around_them():
    categories, problems = parse_categories(texts(" a", "a\u00a0", "", "NA", "b b"), ["NA"])
    assert categories.fillna("-").tolist() == ["a", "a", "-", "-", "b b"]
    assert list_problems(problems) == {}


def test_numbers_are_valid_categories_and_lists_are_not():
    values = pd.Series([1, 2.5, True, "x", None, [1], {"a": 1}], dtype="object")
    categories, problems = parse_categories(values)
    assert categories.fillna("-").tolist()[:5] == ["1", "2.5", "true", "x", "-"]
    assert list_problems(problems) == {"nested value": [5, 6]}


def test_ordinals_are_those_of_the_order():
    ordinals, problems = parse_ordinals(texts("low", "high ", None, "Low"), ["low", "high"])
    assert ordinals.fillna("-").tolist() == ["low", "high", "-", "Low"]
    assert list_problems(problems) == {"value not in its order": [3]}


def test_ids_and_texts_stay_as_received():
    values = texts(" 007 ", None, "", "NA")
    assert parse_ids(values)[0].fillna("-").tolist() == [" 007 ", "-", "-", "NA"]
    assert parse_texts(values, ["NA"])[0].tolist() == [" 007 ", "", "", ""]


def test_a_text_of_json_may_not_have_nul_characters():
    _, problems = parse_texts(pd.Series(["a", "b\0", 3], dtype="object"))
    assert list_problems(problems) == {"NUL character": [1]}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (arrow([1, None], pa.int64()), ["1", "-"]),
        (arrow([True, None], pa.bool_()), ["true", "-"]),
        (arrow([[1, 2], None], pa.list_(pa.int64())), None),
        (arrow([b"\xff", None], pa.binary()), ["b'\\xff'", "-"]),
    ],
)
def test_shows_values_of_arrow_as_text(values, expected):
    shown = to_text(values)
    assert shown.dtype == "str"
    assert expected is None or shown.fillna("-").tolist() == expected
