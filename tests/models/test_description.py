"""Tests of what a model file says about itself."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from core.errors import UserError
from models import description
from models.description import (
    ATTRIBUTE,
    MAX_CHARACTERS,
    MAX_VALUES,
    add_description,
    describe_column,
    read_description,
    replace_each,
)
from models.store import load_model, save_model
from records.validation_params import Rename
from tests.support.ready_table import describe, fit_rows
from tests.support.schemas import make_schema
from tests.support.small_model import fit_model
from tests.support.small_table import make_rows, make_table_schema

SCHEMA = make_table_schema()


def describe_values(values, kind, dtype):
    name = "size" if kind == "ordinal" else "value"
    return describe_column(pd.Series(values, dtype=dtype, name=name), kind, SCHEMA)


def list_values(column):
    return column.model_dump()["values"]


def test_a_number_has_its_range_and_its_median():
    column = describe_values([3, None, 1, 10, 4], "number", "float64")
    assert (column.minimum, column.usual, column.maximum) == (1, 3.5, 10)
    assert (column.name, column.kind, list_values(column)) == ("value", "number", [])


def test_a_date_has_them_too_with_its_time():
    dates = ["2020-01-01T06:30:00", None, "2020-01-03T06:30:00.000001"]
    column = describe_values(pd.to_datetime(dates, format="ISO8601"), "date", "datetime64[us]")
    assert column.minimum == "2020-01-01T06:30:00"
    assert column.usual == "2020-01-02T06:30:00"
    assert column.maximum == "2020-01-03T06:30:00.000001"


def test_values_are_ordered_by_frequency_and_ties_by_the_alphabet():
    column = describe_values(["b", "c", "a", "c", None, "a", "d"], "category", "str")
    assert list_values(column) == ["a", "c", "b", "d"]
    assert (column.usual, column.n_values) == ("a", 4)


def test_an_ordinal_keeps_its_order():
    column = describe_values(["large", "small", "large"], "ordinal", "str")
    assert list_values(column) == ["small", "medium", "large"]
    assert column.usual == "large"


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [("number", "float64"), ("date", "datetime64[us]"), ("category", "str"), ("ordinal", "str")],
)
def test_a_column_without_values_has_neither_range_nor_usual_value(kind, dtype):
    column = describe_values([None, None], kind, dtype)
    assert (column.minimum, column.usual, column.maximum) == (None, None, None)
    df = pd.DataFrame({column.name: pd.Series([None], dtype=dtype)})
    [(_, rows)] = replace_each(df, [column])
    replaced = rows[column.name]
    assert replaced.isna().all()
    assert replaced.dtype == df[column.name].dtype


def test_each_column_is_replaced_in_rows_of_its_own(monkeypatch):
    df = pd.DataFrame({"x": [1.0, 2.0], "y": [3.0, 4.0], "z": [5.0, 6.0]})
    columns = [description.Column(name=name, kind="number", usual=0.0) for name in df]
    monkeypatch.setattr(description, "ROWS_TOGETHER", 4)
    found = [(tuple(each.name for each in some), rows) for some, rows in replace_each(df, columns)]
    assert [names for names, _ in found] == [("x", "y"), ("z",)]
    assert found[0][1]["x"].tolist() == [0, 0, 1, 2]
    assert found[0][1]["y"].tolist() == [3, 4, 0, 0]
    assert found[1][1]["z"].tolist() == [0, 0]


def test_a_text_is_usually_empty():
    column = describe_values(["a", "b"], "text", "str")
    assert (column.usual, list_values(column)) == ("", [])


def test_a_long_category_shows_its_most_frequent_values():
    values = [f"v{number:05}" for number in range(MAX_VALUES + 5)]
    column = describe_values([*values, values[-1]], "category", "str")
    assert len(list_values(column)) == MAX_VALUES
    assert list_values(column)[:2] == [values[-1], values[0]]
    assert column.n_values == MAX_VALUES + 5
    long = describe_values(
        [f"{number:0{MAX_CHARACTERS // 4}}" for number in range(9)], "category", "str"
    )
    assert 0 < sum(map(len, list_values(long))) <= MAX_CHARACTERS
    huge = describe_values(["x" * (MAX_CHARACTERS + 1)], "category", "str")
    assert list_values(huge) == []


def make_effects(n_rows=200):
    """Return rows whose target depends on 'strong', a little on 'weak' and not on 'unused'."""
    rng = np.random.default_rng(0)
    df = pd.DataFrame(rng.normal(size=(n_rows, 3)), columns=["unused", "weak", "strong"])
    df["kind"] = rng.choice(["a", "b"], n_rows)
    return df.assign(target=10 * df["strong"] + df["weak"])


class Fixed(Ridge):
    """A regression that does not use some features at all."""

    def fit(self, X, y):
        super().fit(X, y)
        self.coef_ = np.where(np.abs(self.coef_) < 0.5, 0, self.coef_)
        return self


def test_effects_are_larger_for_columns_that_matter():
    schema = make_schema(
        task="regression", target="target", labels=[], positive=None, text=[],
        number=["unused", "weak", "strong"], category=["kind"],
    )  # fmt: skip
    df = make_effects()
    description = describe(fit_rows(Fixed(alpha=0.1), df, schema), df, schema)
    effects = {column.name: column.effect for column in description.columns}
    assert list(effects) == schema.features
    assert effects["strong"] > 5 * effects["weak"] > 0
    assert effects["unused"] == effects["kind"] == 0
    expected = 10 * (df["strong"] - df["strong"].median()).abs().mean()
    assert effects["strong"] == pytest.approx(expected, rel=0.05)


@pytest.fixture(scope="module")
def model():
    return fit_rows(LogisticRegression(), make_rows(), SCHEMA)


def test_columns_have_the_order_of_the_schema_and_units(model):
    description = describe(model, make_rows(), SCHEMA, {"price": "EUR", "target": "points"})
    assert [column.name for column in description.columns] == SCHEMA.features
    units = {column.name: column.unit for column in description.columns if column.unit}
    assert units == {"price": "EUR"}
    assert description.target.unit == "points"
    assert description.n_rows == 120


def test_refuses_a_unit_of_an_unknown_column(model):
    with pytest.raises(UserError, match=r"model\.units names 'cost', which is neither"):
        describe(model, make_rows(), SCHEMA, {"cost": "EUR"})


def test_the_target_has_counts_of_labels_or_a_histogram(model):
    df = make_rows()
    counts = describe(model, df, SCHEMA).target.counts
    assert list(counts) == ["no", "yes"]
    assert sum(counts.values()) == len(df)
    df, schema = make_rows(task="regression"), make_table_schema("regression")
    target = describe(fit_rows(Ridge(), df, schema), df, schema).target
    assert (len(target.edges), sum(target.heights)) == (41, len(df))
    assert target.counts == {}


def test_a_stored_model_says_the_same(model, tmp_path):
    description = describe(model, make_rows(), SCHEMA, {"price": "EUR"})
    path = tmp_path / "model.skops"
    save_model(add_description(model, description), path)
    assert read_description(load_model(path), path) == description


def test_sources_have_other_names_for_renamed_columns(model):
    description = describe(model, make_rows(), SCHEMA, rename=[Rename(column="cost", to="price")])
    names = description.source_names
    assert (names["price"], names["weight"]) == ("cost", "weight")


def test_messages_have_one_column():
    description = read_description(fit_model(), Path("model.skops"))
    assert description.is_messages
    assert [(each.name, each.kind) for each in description.columns] == [("text", "text")]
    assert description.classes == ["ham", "spam"]


@pytest.mark.parametrize("content", [None, "", "{}", '{"name": "a"}'])
def test_an_older_model_is_refused_in_one_sentence(content):
    model = fit_model()
    delattr(model, ATTRIBUTE)
    if content is not None:
        setattr(model, ATTRIBUTE, content)
    with pytest.raises(UserError, match=r"^old\.skops does not say what it takes.*dvc repro"):
        read_description(model, Path("old.skops"))
