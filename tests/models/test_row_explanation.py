"""Tests of explaining the predictions for rows."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeClassifier
from sklearn.naive_bayes import MultinomialNB
from sklearn.svm import LinearSVC

from models.adapted import DenseRegressor, LogRegressor, ScaledClassifier
from models.ensemble import BranchEnsemble
from models.explained_scoring import quote, score_explained
from models.row_explanation import choose_kind, explain_rows, show, show_change
from models.weights import find_label_weights
from records.validation_params import Rename
from tests.support.ready_table import load_table
from tests.support.small_table import make_rows, make_table_schema

FEATURES = make_table_schema().features


def scale(fitted):
    return ScaledClassifier(fitted, slope=0.5, offset=0.25)


def add_up(explained):
    return np.array([sum(reason.change for reason in each.ranked) for each in explained])


def transform(loaded, df):
    return loaded.pipeline[:-1].transform(df)


linear_classifiers = pytest.mark.parametrize(
    ("estimator", "wrap"),
    [
        (LogisticRegression(), lambda fitted: fitted),
        (BranchEnsemble(), lambda fitted: fitted),
        (LinearSVC(C=0.001, max_iter=100_000), scale),
        (RidgeClassifier(), scale),
    ],
    ids=["logistic", "ensemble", "svc", "ridge"],
)


@linear_classifiers
@pytest.mark.parametrize("positive", ["yes", "no"])
def test_contributions_to_log_odds_add_up(tmp_path, estimator, wrap, positive):
    loaded = load_table(tmp_path, estimator, "binary", wrap)
    if positive == "no":
        loaded = replace(loaded, decision=replace(loaded.decision, labels=["yes", "no"]))
    df = make_rows(7, seed=1)[FEATURES]
    explained = explain_rows(loaded, df)
    model = loaded.pipeline[-1]
    inner = getattr(model, "classifier", model)
    nothing = sp.csr_matrix((1, inner.n_features_in_))
    expected = model.decision_function(transform(loaded, df)) - model.decision_function(nothing)
    sign = 1 if positive == "yes" else -1
    assert add_up(explained) == pytest.approx(sign * expected, rel=1e-4, abs=1e-4)
    assert {(each.kind, each.of) for each in explained} == {
        ("contributions", f"the log-odds of {positive}")
    }


@pytest.mark.parametrize(
    ("estimator", "of"),
    [
        (Ridge(), "target"),
        (LinearRegression(), "target"),
        (DenseRegressor(Ridge()), "target"),
        (LogRegressor(Ridge()), "log(1 + target)"),
    ],
    ids=str,
)
def test_contributions_to_a_number_add_up(tmp_path, estimator, of):
    loaded = load_table(tmp_path, estimator, "regression")
    df = make_rows(7, "regression", seed=1)[FEATURES]
    explained = explain_rows(loaded, df)
    inner = getattr(loaded.pipeline[-1], "estimator_", loaded.pipeline[-1])
    expected = inner.predict(transform(loaded, df)) - inner.intercept_
    assert add_up(explained) == pytest.approx(expected, rel=1e-4, abs=1e-4)
    assert {each.of for each in explained} == {of}


@linear_classifiers
def test_contributions_to_one_of_several_labels_are_compared_with_the_mean(
    tmp_path, estimator, wrap
):
    loaded = load_table(tmp_path, estimator, "multiclass", wrap)
    df = make_rows(7, "multiclass", seed=1)[FEATURES]
    explained, model = explain_rows(loaded, df), loaded.pipeline[-1]
    inner = getattr(model, "classifier", model)
    scores = model.decision_function(transform(loaded, df)) - model.decision_function(
        sp.csr_matrix((1, inner.n_features_in_))
    )
    chosen = model.predict_proba(transform(loaded, df)).argmax(axis=1)
    expected = scores[np.arange(len(df)), chosen] - scores.mean(axis=1)
    assert add_up(explained) == pytest.approx(expected, rel=1e-4, abs=1e-4)
    label = loaded.pipeline.classes_[chosen[0]]
    assert explained[0].of == f"the score of {label}, less the mean of all labels"


def test_naive_bayes_of_several_labels_has_weights():
    X = np.array([[3, 0], [1, 1], [0, 4]])
    model = MultinomialNB().fit(X, ["a", "b", "c"])
    weights = find_label_weights(model)
    found = X @ weights.T + (model.class_log_prior_ - model.class_log_prior_.mean())
    scores = model.predict_log_proba(X)
    assert found == pytest.approx(scores - scores.mean(axis=1, keepdims=True))


def test_shows_the_values_of_a_row_under_the_names_of_the_source(tmp_path):
    loaded = load_table(tmp_path, Ridge(), "regression", rename=[Rename(column="cost", to="price")])
    df = make_rows(3, "regression", seed=1)[FEATURES]
    [explained, *_] = explain_rows(loaded, df)
    shown = {reason.name: reason.value for reason in explained.ranked if reason.value}
    assert shown.keys() <= {loaded.description.source_names[name] for name in FEATURES[2:]}
    assert shown["cost"] == f"{df['price'][0]:g}"
    assert shown["colour"] == df["colour"][0]
    assert any(reason.name.startswith("words: ") for reason in explained.ranked)
    changes = [abs(reason.change) for reason in explained.ranked]
    assert changes == sorted(changes, reverse=True)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_changes_are_those_of_predictions_by_hand(tmp_path, task):
    forest = RandomForestRegressor if task == "regression" else RandomForestClassifier
    loaded = load_table(tmp_path, forest(20, random_state=0), task)
    assert choose_kind(loaded) == "changes"
    df = make_rows(4, task, seed=1)[FEATURES].reset_index(drop=True)
    usual = {column.name: column.usual for column in loaded.description.columns}
    model = loaded.pipeline

    def predict(rows, place):
        if task == "regression":
            return model.predict(rows)[place]
        column = list(model.classes_).index("yes") if task == "binary" else chosen[place]
        return model.predict_proba(rows)[place, column]

    chosen = model.predict_proba(df).argmax(axis=1) if task == "multiclass" else None
    for place, explained in enumerate(explain_rows(loaded, df)):
        assert explained.kind == "changes"
        found = {reason.name: reason.change for reason in explained.ranked}
        for name in FEATURES:
            replaced = df.assign(**{name: usual[name]}).astype(df.dtypes)
            expected = predict(df, place) - predict(replaced, place)
            assert found.get(name, 0) == pytest.approx(expected, abs=1e-6)
    of = {"binary": "the probability of yes", "regression": "target"}
    if task == "multiclass":
        assert explained.of == f"the probability of {model.classes_[chosen[-1]]}"
    else:
        assert explained.of == of[task]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.3, "0.3"),
        (1234567.0, "1234567"),
        (float("nan"), "missing"),
        (None, "missing"),
        (pd.NaT, "missing"),
        ("", "missing"),
        (pd.Timestamp("2020-01-02"), "2020-01-02"),
        (pd.Timestamp("2020-01-02T03:00"), "2020-01-02T03:00:00"),
        ("x" * 41, "x" * 40 + "..."),
    ],
)
def test_shows_a_value(value, shown):
    assert show(value) == shown


@pytest.mark.parametrize(
    ("change", "shown"),
    [(0.123456, "+0.123"), (-12345.6, "-12346"), (999.4, "+999"), (1e20, "+1e+20")],
)
def test_shows_a_change_with_its_sign(change, shown):
    assert show_change(change, 3) == shown


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("cut", "cut"),
        ("é: a", "é: a"),
        ("a;b", '"a;b"'),
        ('"', '"\\""'),
        ("a\tb", '"a\\tb"'),
        ("a\x85", '"a\\u0085"'),
    ],
)
def test_quotes_what_would_end_an_entry(text, quoted):
    assert quote(text) == quoted


def test_files_get_the_strongest_as_text(tmp_path):
    loaded = load_table(tmp_path, Ridge(), "regression")
    df = make_rows(2, "regression", seed=1)[FEATURES]
    found, texts = score_explained(loaded.pipeline, replace(loaded, pipeline=None), df)
    assert found.tolist() == loaded.prediction.score(loaded.pipeline, [], df).tolist()
    strongest = explain_rows(loaded, df)[0].ranked[0]
    assert strongest.name in texts[0].partition("; ")[0]
    assert texts[0].count("; ") == 7
    assert score_explained(loaded.pipeline, loaded, df[:0])[1] == []
