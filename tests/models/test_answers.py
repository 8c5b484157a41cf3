"""Tests of answers for rows of a program."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from core.errors import UserError
from models.answers import RowError, answer_rows
from models.loaded import DecisionOptions, LoadedModel, load_model_for_use
from models.store import read_model_file

ROW = {"group": "red", "price": 120.5, "size": "large", "sold": "01.02.2021", "note": "as new"}


@pytest.fixture(scope="module")
def loaded(built) -> LoadedModel:
    """Return a model of a table with columns of all kinds, one of them renamed."""
    folder = built("regression")
    path = folder / "models" / "model.skops"
    return load_model_for_use(
        read_model_file(path), path, DecisionOptions(params=folder / "params.yaml")
    )


def test_an_answer_has_the_version_of_the_model(loaded):
    (answer,) = answer_rows(loaded, [ROW])
    assert list(answer) == ["prediction", "lower", "upper", "warnings", "model_version"]
    assert answer["lower"] < answer["prediction"] < answer["upper"]
    assert (answer["warnings"], answer["model_version"]) == ([], loaded.version)


def test_no_row_has_no_answer(loaded):
    assert answer_rows(loaded, []) == []


def test_takes_the_name_that_the_pipeline_gives_a_column(loaded):
    renamed = {{"group": "colour"}.get(name, name): value for name, value in ROW.items()}
    assert answer_rows(loaded, [renamed]) == answer_rows(loaded, [ROW])


@pytest.mark.parametrize(
    ("values", "same"),
    [
        ({"price": np.float64(120.5)}, {}),
        ({"price": "120,5"}, {}),
        ({"sold": date(2021, 2, 1)}, {}),
        ({"sold": pd.Timestamp(2021, 2, 1)}, {}),
        ({"sold": np.datetime64("2021-02-01")}, {}),
        ({"sold": "2021-02-01"}, {}),
        (
            {"sold": datetime(2021, 2, 1, 5, tzinfo=ZoneInfo("Asia/Tokyo"))},
            {"sold": "2021-01-31T20"},
        ),
        ({"sold": "2021-02-01T05:00+09:00"}, {"sold": "2021-01-31T20:00Z"}),
        ({"sold": pd.NaT}, {"sold": None}),
        ({"price": float("nan")}, {"price": None}),
        ({"price": np.nan}, {"price": "?"}),
        ({"group": pd.NA}, {"group": None}),
    ],
)
def test_takes_values_as_python_has_them(loaded, values, same):
    assert answer_rows(loaded, [ROW | values]) == answer_rows(loaded, [ROW | same])


def test_names_columns_with_unusual_values(loaded):
    first, second = answer_rows(loaded, [ROW, ROW | {"group": "violet", "price": 1e6}])
    assert first["warnings"] == []
    assert second["warnings"] == [
        {"column": "price", "problem": "outside the training range"},
        {"column": "group", "problem": "unseen value"},
    ]


@pytest.mark.parametrize(
    ("values", "column", "reason"),
    [
        ({"price": "much"}, "price", "not a number ('much')"),
        ({"price": float("inf")}, "price", "infinite number ('inf')"),
        ({"price": -1}, "price", "too small, above is 0"),
        ({"size": "huge"}, "size", "value not in its order"),
        ({"sold": "30.02.2021"}, "sold", "not a date"),
        ({"key": "k1"}, "key", "the model does not use this column"),
        ({1: "k1"}, "1", "the model does not use this column"),
    ],
)
def test_the_row_and_the_column_at_fault_are_named(loaded, values, column, reason):
    with pytest.raises(RowError) as caught:
        answer_rows(loaded, [ROW, ROW | values])
    assert (caught.value.row, caught.value.column) == (1, column)
    assert caught.value.reason.startswith(reason)
    assert str(caught.value) == f"row 1, column {column!r}: {caught.value.reason}"


def test_a_column_that_is_missing_is_named(loaded):
    rows = [ROW, {name: value for name, value in ROW.items() if name != "size"}]
    with pytest.raises(UserError, match=r"^row 1 has no column 'size'"):
        answer_rows(loaded, rows)


def test_columns_that_the_model_does_not_use_are_ignored_if_asked(loaded):
    assert answer_rows(loaded, [ROW | {"key": "k1"}], "ignore") == answer_rows(loaded, [ROW])
    with pytest.raises(UserError, match="unknown_columns is 'keep': give 'refuse' or 'ignore'"):
        answer_rows(loaded, [ROW], "keep")


@pytest.mark.parametrize("rows", [ROW, "as new", b"as new", None, {1, 2}, iter([ROW])])
def test_what_is_no_list_is_refused(loaded, rows):
    with pytest.raises(UserError, match=r"rows is a \w+: give a list, of one row as well"):
        answer_rows(loaded, rows)


@pytest.mark.parametrize("row", ["as new", 1, None, [1, 2]])
def test_what_is_no_row_is_refused(loaded, row):
    with pytest.raises(RowError, match=r"row 1: it is a \w+, not values by column"):
        answer_rows(loaded, [ROW, row])
