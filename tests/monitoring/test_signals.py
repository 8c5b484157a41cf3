"""Tests of the signals of rows."""

import functools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.pipeline import Pipeline

from models.description import read_description
from monitoring.signals import (
    UNSEEN,
    Signal,
    list_signals,
    measure_signals,
    round_numbers,
    show_value,
)
from monitoring.trigrams import learn_trigrams
from tests.support.descriptions import describe
from tests.support.small_model import HAM, SPAM, fit_model
from tests.support.small_table import SIZES, fit_pipeline, make_rows, make_table_schema

SEEN = {"text": learn_trigrams(HAM + SPAM)}


@functools.cache
def fit_described(task):
    """Return a model of ``make_rows`` that knows only the target, and its description."""
    steps, train = fit_pipeline(task), make_rows(task=task)
    kind = DummyRegressor() if task == "regression" else DummyClassifier()
    schema = make_table_schema(task)
    y = train["target"].astype("str" if task != "regression" else float).to_numpy()
    fitted = kind.fit(np.zeros((len(train), 1)), y)
    model = describe(Pipeline([*steps.steps, ("estimator", fitted)]), train, schema)
    return model, read_description(model, "model.skops")


def measure_texts(texts, predicted=None):
    model = fit_model()
    description = read_description(model, "model.skops")
    predicted = np.zeros(len(texts)) if predicted is None else predicted
    return measure_signals(model, description, texts, predicted, SEEN)


def measure_rows(df, task="binary", predicted=None):
    model, description = fit_described(task)
    seen = {name: learn_trigrams(make_rows()[name].tolist()) for name in ("title", "note")}
    predicted = np.full(len(df), 0.5) if predicted is None else predicted
    return measure_signals(model, description, df, predicted, seen), description


def test_messages_have_five_signals():
    found = measure_texts(["WIN cash now", "grüezi", ""], np.array([0.9, 0.1, 0.2]))
    assert list(found) == [
        "text: length",
        "text: unseen trigrams",
        "text: non-ASCII",
        "text: capitals",
        "predicted: spam",
    ]
    assert found["text: length"].tolist() == [12, 6, 0]
    assert found["text: non-ASCII"].tolist() == [False, True, False]
    assert found["text: capitals"].tolist() == [0.25, 0, 0]
    assert found["text: unseen trigrams"][0] == 0 < found["text: unseen trigrams"][1]
    assert found["predicted: spam"].tolist() == [0.9, 0.1, 0.2]


def test_texts_are_normalised_first():
    disguised, plain = measure_texts(["ＷＩＮ  c\u200bash now", "WIN cash now"]).to_dict("records")
    assert disguised == plain


def test_the_signals_of_a_table():
    df = make_rows(4)
    df.loc[0, "town"] = "nowhere"
    df.loc[1, ["price", "colour", "size", "sold"]] = None
    df.loc[2, "size"], df.loc[2, "sold"] = SIZES[2], pd.Timestamp("1970-01-11")
    found, description = measure_rows(df)
    assert list(found) == [each.name for each in list_signals(description)]
    assert found["town"][0] == UNSEEN
    assert found["town"][3] == df["town"][3]
    assert found.loc[1, ["price", "colour", "size", "sold"]].isna().all()
    assert (found["size"][2], found["sold"][2]) == (2, 10)


def test_the_range_is_that_of_the_training_rows():
    train = make_rows()
    signals = {each.name: each for each in list_signals(measure_rows(make_rows(1))[1])}
    assert (signals["price"].low, signals["price"].high) == (
        train["price"].min(),
        train["price"].max(),
    )
    first_day = (train["sold"].min() - pd.Timestamp(0)).days
    assert signals["sold"].low == first_day
    assert signals["size"].order == SIZES
    assert signals["colour"].may_lack
    assert not signals["predicted: yes"].may_lack


def test_a_missing_text_has_no_length():
    df = make_rows(2)
    df.loc[0, "note"] = None
    found, _ = measure_rows(df)
    assert np.isnan(found["note: length"][0])
    assert found.loc[0, ["note: unseen trigrams", "note: capitals"]].tolist() == [0, 0]
    assert not found["note: non-ASCII"][0]


def test_what_is_predicted_depends_on_the_task():
    probability = np.array([[0.2, 0.5, 0.3], [0.1, 0.2, 0.7]])
    found, description = measure_rows(make_rows(2, "multiclass"), "multiclass", probability)
    assert found["predicted: target"].tolist() == ["fair", "good"]
    assert list_signals(description)[-1].kind == "label"
    found, description = measure_rows(
        make_rows(2, "regression"), "regression", np.array([1.23456789, 5])
    )
    assert found["predicted: target"].tolist() == [1.23457, 5]
    assert list_signals(description)[-1].kind == "number"


def test_no_rows_have_no_signals():
    assert measure_texts([]).shape == (0, 5)
    assert len(measure_rows(make_rows()[:0])[0]) == 0


@given(st.lists(st.floats(), max_size=5))
def test_rounding_keeps_six_digits(values):
    numbers = np.array(values, float)
    rounded = round_numbers(numbers)
    assert np.array_equal(np.isfinite(rounded), np.isfinite(numbers))
    assert np.array_equal(round_numbers(rounded), rounded, equal_nan=True)
    is_usual = np.isfinite(numbers) & (np.abs(numbers) > 1e-300)
    assert rounded[is_usual] == pytest.approx(numbers[is_usual], rel=1e-5)


def test_values_are_shown_as_people_write_them():
    assert show_value(Signal(name="a", kind="date"), 10.2) == "1970-01-11"
    assert show_value(Signal(name="a", kind="ordinal", order=["s", "m"]), 0.5) == "s"
    assert show_value(Signal(name="a", kind="number"), 12.3456) == "12.35"
