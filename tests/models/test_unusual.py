"""Tests of finding values that no training row has."""

import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from models.unusual import OUTSIDE, UNSEEN, find_unusual, list_by_row, write_by_row
from tests.support.ready_table import describe, fit_rows
from tests.support.small_table import make_rows, make_table_schema

SCHEMA = make_table_schema()


@pytest.fixture(scope="module")
def fitted():
    df = make_rows()
    model = fit_rows(LogisticRegression(), df, SCHEMA)
    return model, describe(model, df, SCHEMA), df[SCHEMA.features]


def find(fitted, **values):
    """Return what is unusual about a training row with some values changed, by row."""
    model, description, df = fitted
    row = df.iloc[[0]].assign(**values).astype(df.dtypes)
    return list_by_row(find_unusual(model, description, row), 1)[0]


def test_training_rows_have_nothing_unusual(fitted):
    assert find_unusual(*fitted) == {}


def test_the_ends_of_the_range_are_within_it(fitted):
    for column in ("price", "sold", "seen"):
        values = fitted[2][column]
        for value in (values.min(), values.max()):
            assert find(fitted, **{column: value}) == []
        step = pd.Timedelta(microseconds=1) if column != "price" else 1e-9
        assert find(fitted, **{column: values.max() + step}) == [(column, OUTSIDE)]
        assert find(fitted, **{column: values.min() - step}) == [(column, OUTSIDE)]


@pytest.mark.parametrize(("column", "value"), [("colour", "pink"), ("town", "nowhere")])
def test_a_category_is_unseen(fitted, column, value):
    assert find(fitted, **{column: value}) == [(column, UNSEEN)]


@pytest.mark.parametrize("column", SCHEMA.features[2:])
def test_a_missing_value_is_not_unusual(fitted, column):
    assert find(fitted, **{column: None}) == []


def test_a_number_in_a_column_without_training_values_is_outside():
    schema = make_table_schema(text=[], category=[], ordinal=[], date=["sold"])
    df = make_rows().assign(price=float("nan"), sold=pd.NaT)
    model = fit_rows(LogisticRegression(), df, schema)
    fitted = (
        model,
        describe(model, df, schema),
        df[schema.features].astype({"sold": "datetime64[us]"}),
    )
    assert find_unusual(*fitted) == {}
    assert find(fitted, price=1.0) == [("price", OUTSIDE)]
    assert find(fitted, sold=pd.Timestamp("2020-01-01")) == [("sold", OUTSIDE)]


def test_names_and_order_are_those_of_the_source_and_the_schema(fitted):
    assert find(fitted, seen=pd.Timestamp("1990-01-01"), colour="pink", price=1e6) == [
        ("price", OUTSIDE),
        ("colour", UNSEEN),
        ("seen", OUTSIDE),
    ]


def test_each_row_has_its_own(fitted):
    model, description, df = fitted
    rows = df.iloc[:3].assign(price=[1e6, 10, 1e6], colour=["red", "pink", "pink"])
    found = find_unusual(model, description, rows)
    assert list_by_row(found, 3) == [
        [("price", OUTSIDE)],
        [("colour", UNSEEN)],
        [("price", OUTSIDE), ("colour", UNSEEN)],
    ]
    assert write_by_row(found, 3, str.upper) == [
        f"PRICE: {OUTSIDE}",
        f"COLOUR: {UNSEEN}",
        f"PRICE: {OUTSIDE}; COLOUR: {UNSEEN}",
    ]
    assert write_by_row({}, 2, str) == ["", ""]
