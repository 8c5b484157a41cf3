"""Tests of typing rows, and of the answers for each task."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from core.errors import UserError
from models.answers import RowError, answer, list_answers, type_rows
from records.validation_params import Constraint, DateFormat, Rename
from tests.support.ready_table import load_table

ROW = {
    "title": "old chair",
    "note": "as new",
    "price": 10.5,
    "weight": None,
    "colour": "red",
    "town": "town 1",
    "size": "small",
    "sold": "2020-02-01",
    "seen": "2020-02-01T10:00:00",
}


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    estimators = {
        "binary": LogisticRegression,
        "multiclass": LogisticRegression,
        "regression": Ridge,
    }
    return {
        task: load_table(tmp_path_factory.mktemp(task), estimator(), task)
        for task, estimator in estimators.items()
    }


def test_two_labels(tables):
    [found] = answer(tables["binary"], type_rows(tables["binary"], [ROW]))
    assert list(found) == ["label", "probability", "warnings"]
    assert found["label"] == ("yes" if found["probability"] >= 0.5 else "no")
    assert found["warnings"] == []


def test_several_labels(tables):
    loaded = tables["multiclass"]
    first, second = answer(loaded, type_rows(loaded, [ROW, {**ROW, "price": 1e5}]))
    assert list(first) == ["label", "probability", "probabilities", "warnings"]
    assert list(first["probabilities"]) == ["bad", "fair", "good"]
    assert sum(first["probabilities"].values()) == pytest.approx(1)
    assert first["probability"] == first["probabilities"][first["label"]]
    assert second["warnings"] == [{"column": "price", "problem": "outside the training range"}]


def test_a_number(tables):
    loaded = tables["regression"]
    [found] = answer(loaded, type_rows(loaded, [ROW]))
    assert list(found) == ["prediction", "lower", "upper", "warnings"]
    assert found["upper"] - found["prediction"] == pytest.approx(0.5)


def test_the_order_of_columns_does_not_count_and_others_are_ignored(tables):
    loaded = tables["regression"]
    turned = {"other": [1], **dict(reversed(ROW.items()))}
    assert answer(loaded, type_rows(loaded, [turned])) == answer(loaded, type_rows(loaded, [ROW]))


def test_a_value_has_the_same_meaning_as_text(tables):
    loaded = tables["regression"]
    texts = {name: "" if value is None else str(value) for name, value in ROW.items()}
    assert answer(loaded, type_rows(loaded, [texts])) == answer(loaded, type_rows(loaded, [ROW]))


@pytest.mark.parametrize(
    ("values", "column", "reason"),
    [
        ({"price": "a"}, "price", "not a number ('a')"),
        ({"price": float("inf")}, "price", "infinite number ('inf')"),
        ({"price": 10**400}, "price", "infinite number"),
        ({"price": 1e39}, "price", "number too large ('1e+39')"),
        ({"price": [1]}, "price", "not a number ('[1]')"),
        ({"size": "tiny"}, "size", "value not in its order ('tiny')"),
        ({"sold": "2020-02-31"}, "sold", "not a date ('2020-02-31')"),
        ({"colour": {"a": 1}}, "colour", "nested value"),
        ({"note": "x" * 100_001}, "note", "text too long (100,001 characters, at most 100,000)"),
    ],
)
def test_refuses_a_value_and_names_row_and_column(tables, values, column, reason):
    with pytest.raises(RowError) as caught:
        type_rows(tables["regression"], [ROW, {**ROW, **values}, {**ROW, "weight": "b"}])
    error = caught.value
    assert (error.row, error.column) == (1, column)
    assert error.reason.startswith(reason)
    assert str(error) == f"row 1, column {column!r}: {error.reason}"


def test_names_the_columns_that_a_row_lacks(tables):
    lacking = {name: value for name, value in ROW.items() if name not in ("price", "sold")}
    with pytest.raises(UserError, match=r"^row 1 has no column 'price', 'sold', only title, note"):
        type_rows(tables["regression"], [ROW, lacking])
    with pytest.raises(UserError, match=r"^the row has no column .*'seen': the model needs each"):
        type_rows(tables["regression"], [{}], lambda _: "the row")


def test_reads_values_and_names_as_the_source_writes_them(tmp_path):
    loaded = load_table(
        tmp_path,
        Ridge(),
        "regression",
        rename=[Rename(column="cost", to="price")],
        decimal=",",
        date_formats=[DateFormat(column="sold", format="%d.%m.%Y")],
        constraints=[Constraint(column="price", above=0, required=True)],
    )
    row = {**ROW, "sold": "01.02.2020"}
    del row["price"]
    df = type_rows(loaded, [{**row, "cost": "1,5"}, {**row, "price": 1.5}])
    assert df["price"].tolist() == [1.5, 1.5]
    for value, reason in ((None, "missing value"), ("-1", "too small, above is 0 ('-1')")):
        with pytest.raises(RowError) as caught:
            type_rows(loaded, [{**row, "cost": value}])
        assert (caught.value.column, caught.value.reason) == ("cost", reason)


def test_refuses_a_row_without_a_finite_prediction(tables):
    loaded = tables["regression"]
    df = type_rows(loaded, [ROW, ROW])
    with pytest.raises(RowError, match="row 1: the model predicts no finite number"):
        list_answers(loaded, np.array([1, np.nan]), df)
    assert list_answers(loaded, np.empty(0), df.iloc[:0]) == []
