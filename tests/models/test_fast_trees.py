"""Tests that fast trees predict the same numbers as scikit-learn's, to the last bit."""

import copy

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline

from models import fast_trees
from models.adapted import DenseClassifier, DenseRegressor, LogRegressor
from models.fast_trees import FastTrees, find_boosting, speed_up

N_ROWS = 3000


def make_data(missing=0.1, n_features=8):
    """Return features of many and of few values, and a number that depends on some."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_ROWS, n_features)).astype(np.float32).astype(float)
    X[:, 3:] = X[:, 3:].round()
    y = X[:, 0] ** 2 + X[:, 1] * X[:, 3] + rng.normal(size=N_ROWS)
    X[rng.random(X.shape) < missing] = np.nan
    return X, y


def fit(estimator, X, y):
    """Return a pipeline as model files hold it."""
    is_classifier = isinstance(estimator, HistGradientBoostingClassifier)
    wrapped = (
        DenseClassifier(estimator) if is_classifier else LogRegressor(DenseRegressor(estimator))
    )
    return Pipeline([("model", wrapped.fit(X, y if is_classifier else y - y.min()))])


def predict(pipeline, X):
    return pipeline.predict_proba(X) if hasattr(pipeline[-1], "classes_") else pipeline.predict(X)


@pytest.mark.parametrize("n_classes", [0, 2, 3])
@pytest.mark.parametrize("leaves", [2, 31, 32, 63])
@pytest.mark.parametrize("missing", [0, 0.1])
def test_predictions_are_those_of_scikit_learn(n_classes, leaves, missing):
    X, y = make_data(missing)
    options = {"max_iter": 40, "max_leaf_nodes": leaves, "min_samples_leaf": 5}
    if n_classes:
        labels = np.digitize(y, np.quantile(y, np.arange(1, n_classes) / n_classes))
        pipeline = fit(HistGradientBoostingClassifier(**options), X, labels)
    else:
        pipeline = fit(HistGradientBoostingRegressor(**options), X, y)
    values = np.random.default_rng(1).choice([-np.inf, np.inf, np.nan, 0.0, 1e-30], (300, 8))
    inputs = [X, X[:1], X[:2], X[:257], np.asfortranarray(X), X[:0], values, X.astype(np.float32)]
    inputs = [each for each in inputs if len(each)]
    expected = [predict(pipeline, each) for each in inputs]
    speed_up(pipeline)
    assert isinstance(find_boosting(pipeline[-1])._raw_predict, FastTrees)
    for each, numbers in zip(inputs, expected, strict=True):
        np.testing.assert_array_equal(predict(pipeline, each), numbers, strict=True)


def test_trees_of_a_single_leaf_are_summed():
    X, y = make_data()
    pipeline = fit(HistGradientBoostingRegressor(max_iter=3, min_samples_leaf=N_ROWS), X, y)
    expected = pipeline.predict(X)
    speed_up(pipeline)
    np.testing.assert_array_equal(pipeline.predict(X), expected)


@pytest.mark.parametrize(
    ("options", "limit"),
    [
        ({"max_leaf_nodes": 64, "min_samples_leaf": 1}, None),
        ({"categorical_features": [3]}, None),
        ({}, 1000),
    ],
    ids=["many leaves", "categories", "large tables"],
)
def test_other_trees_are_left_to_scikit_learn(monkeypatch, options, limit):
    X, y = make_data()
    X[:, 3] -= np.nanmin(X[:, 3])
    pipeline = fit(HistGradientBoostingRegressor(max_iter=10, **options), X, y)
    if limit:
        monkeypatch.setattr(fast_trees, "MOST_CELLS", limit)
    expected = pipeline.predict(X)
    for _ in range(2):
        speed_up(pipeline)
        assert not isinstance(find_boosting(pipeline[-1])._raw_predict, FastTrees)
    np.testing.assert_array_equal(pipeline.predict(X), expected)


def test_tables_that_give_other_numbers_are_not_used(monkeypatch, caplog):
    X, y = make_data()
    pipeline = fit(HistGradientBoostingRegressor(max_iter=10), X, y)
    expected = pipeline.predict(X)
    right = FastTrees.__call__
    monkeypatch.setattr(FastTrees, "__call__", lambda *args: right(*args) * (1 + 1e-15))
    speed_up(pipeline)
    assert "the fast way gives other results" in caplog.text
    np.testing.assert_array_equal(pipeline.predict(X), expected)


def test_refuses_rows_with_another_number_of_features():
    X, y = make_data()
    pipeline = fit(HistGradientBoostingRegressor(max_iter=10), X, y)
    speed_up(pipeline)
    with pytest.raises(ValueError, match="need 8 features"):
        pipeline.predict(X[:, :7])


def test_other_models_stay_as_they_are():
    pipeline = Pipeline([("model", LogRegressor(DenseRegressor()))])
    before = copy.deepcopy(vars(pipeline[-1]))
    speed_up(pipeline)
    assert vars(pipeline[-1]).keys() == before.keys()
