"""Tests of finding columns that give the target away."""

import numpy as np
import pandas as pd
import pytest

from core.errors import UserError
from records.leakage import check_leakage
from records.schema import Schema
from records.validation_params import Leakage

N_ROWS = 400
RNG = np.random.default_rng(1)
NOISE = RNG.normal(size=N_ROWS)
OTHER = RNG.normal(size=N_ROWS)
LETTERS = RNG.choice(list("abcd"), N_ROWS)


def describe(task, target="y", **lists):
    kinds = ("text", "number", "category", "ordinal", "date", "id", "drop")
    labels = {"binary": ["no", "yes"]}.get(task, [])
    return Schema(
        task=task,
        target=target,
        labels=labels,
        positive="yes" if labels else None,
        **{kind: lists.get(kind, []) for kind in kinds},
    )


def check(schema, allow=(), max_score=0.99, **columns):
    df = pd.DataFrame(columns)
    if schema.task == "regression":
        df["y"] = df["y"].astype("float64")
    else:
        df["y"] = pd.Categorical(df["y"], schema.classes or sorted(set(df["y"])))
    for column in [*schema.category, *schema.text]:
        df[column] = df[column].astype("str")
    check_leakage(df, schema, Leakage(max_score=max_score, allow=list(allow)))


def refuses(message, schema, *, allow, **columns):
    """Check that the columns are refused with a message, and that ``allow`` accepts them."""
    with pytest.raises(UserError) as caught:
        check(schema, **columns)
    assert message in str(caught.value)
    assert "data_validation.leakage.allow" in str(caught.value)
    check(schema, allow, **columns)


def say(is_yes):
    return np.where(is_yes, "yes", "no")


def test_columns_that_only_help_are_accepted():
    y = 3 * NOISE + OTHER
    schema = describe("regression", number=["a"], category=["c"], date=["d"])
    check(schema, y=y, a=NOISE, c=LETTERS, d=pd.date_range("2020-01-01", periods=N_ROWS))
    schema = describe("binary", number=["a"], category=["c"])
    check(schema, y=say(y > 0), a=NOISE, c=LETTERS)


@pytest.mark.parametrize(
    "leak",
    [
        lambda y: 2 * y + 5,
        lambda y: y**3,
        lambda y: -y,
        lambda y: np.exp(y / 3),
    ],
    ids=["line", "cube", "negative", "exponent"],
)
def test_finds_a_function_of_a_number(leak):
    y = RNG.uniform(1, 5, N_ROWS)
    schema = describe("regression", number=["a", "b"])
    message = "column 'b' alone predicts the target almost perfectly (R2 "
    refuses(message, schema, allow=["b"], y=y, a=NOISE, b=leak(y))


def test_finds_a_category_that_gives_a_number_away():
    codes = RNG.integers(0, 4, N_ROWS)
    schema = describe("regression", category=["c"])
    refuses("column 'c' alone", schema, allow=["c"], y=codes * 10.0, c=codes.astype(str))


@pytest.mark.parametrize("order", [1, -1])
def test_finds_a_number_that_separates_two_labels(order):
    schema = describe("binary", number=["a", "b"])
    message = "column 'b' alone predicts the target almost perfectly (ROC AUC "
    refuses(message, schema, allow=["b"], y=say(NOISE > 0), a=OTHER, b=order * NOISE)


def test_finds_that_a_value_is_only_missing_for_one_label():
    schema = describe("binary", number=["a"])
    values = np.where(NOISE > 0, OTHER, np.nan)
    refuses("column 'a' alone", schema, allow=["a"], y=say(NOISE > 0), a=values)


def test_finds_row_numbers_of_data_that_is_sorted_by_label():
    schema = describe("multiclass", number=["a", "b"])
    message = "column 'b' alone predicts the target almost perfectly (balanced accuracy "
    y = np.repeat(list("xyz"), 50)
    refuses(message, schema, allow=["b"], y=y, a=NOISE[:150], b=np.arange(150.0))


def test_finds_dates_that_give_labels_away():
    schema = describe("binary", date=["d"])
    dates = pd.date_range("2020-01-01", periods=N_ROWS)
    refuses("column 'd' alone", schema, allow=["d"], y=say(dates > dates[150]), d=dates)


def test_the_score_that_is_too_high_is_a_parameter():
    schema = describe("regression", number=["a"])
    columns = {"y": NOISE + 0.3 * OTHER, "a": NOISE}
    check(schema, **columns)
    with pytest.raises(UserError, match=r"R2 0\.\d+ on rows held out, above 0\.8\)"):
        check(schema, max_score=0.8, **columns)


def test_finds_a_copy_of_the_target():
    schema = describe("regression", number=["a"])
    refuses("'a' is a copy of the target in 100.0%", schema, allow=["a"], y=NOISE, a=NOISE)
    schema = describe("multiclass", category=["a"])
    refuses("'a' is a copy of the target in 100.0%", schema, allow=["a"], y=LETTERS, a=LETTERS)
    schema = describe("multiclass", number=["a"])
    codes = RNG.integers(0, 3, N_ROWS)
    refuses(
        "'a' is a copy of the target",
        schema,
        allow=["a"],
        y=codes.astype(str),
        a=codes.astype(float),
    )


def test_finds_two_columns_whose_sum_is_the_target():
    schema = describe("regression", number=["a", "b", "c"])
    columns = {"y": NOISE + OTHER, "a": NOISE, "b": RNG.normal(size=N_ROWS), "c": OTHER}
    message = "the sum of columns 'a' and 'c' is the target in 100.0% of the rows"
    refuses(message, schema, allow=["a"], **columns)
    refuses(message, schema, allow=["c"], **columns)


def test_finds_a_category_that_is_almost_unique():
    schema = describe("binary", category=["c"])
    message = "category 'c' is almost unique, with 400 different values in 400 rows"
    refuses(message, schema, allow=["c"], y=say(NOISE > 0), c=np.arange(N_ROWS).astype(str))


def test_finds_a_label_in_the_name_of_a_text_column():
    schema = describe("binary", text=["reason_yes"])
    message = "text column 'reason_yes' has the label 'yes' in its name"
    refuses(message, schema, allow=["reason_yes"], y=say(NOISE > 0), reason_yes=LETTERS)


def test_finds_a_label_in_the_texts_of_its_rows():
    schema = describe("binary", text=["t"])
    y = say(NOISE > 0)
    message = "text column 't' has the label 'no' in 100.0% of the texts with that label and in 0.0"
    refuses(message, schema, allow=["t"], y=y, t=[f"it is {label}!" for label in y])
    # In other words, or in the texts of both labels.
    check(schema, y=y, t=np.where(y == "no", "nothing", "yesterday"))
    check(schema, y=y, t=np.where(y == "no", "yes or no", "no, yes"))


def test_names_every_leak_at_once():
    schema = describe("regression", number=["a", "b"])
    with pytest.raises(UserError, match=r"'a' is a copy .*; column 'b' alone predicts"):
        check(schema, y=NOISE, a=NOISE, b=2 * NOISE)


def test_few_rows_are_not_judged():
    schema = describe("binary", number=["a"])
    check(schema, y=say(NOISE[:40] > 0), a=NOISE[:40])
    # Enough rows, but a label that is rare.
    check(schema, y=say(np.arange(100) < 5), a=np.arange(100.0))
