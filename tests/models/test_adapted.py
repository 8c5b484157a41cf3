"""Tests of estimators in the form that the pipeline needs."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.linear_model import LinearRegression
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from core.errors import UserError
from models import adapted
from models.adapted import (
    DenseClassifier,
    DenseRegressor,
    LogRegressor,
    ScaledClassifier,
    as_dense,
)

X = sp.csr_matrix(np.array([[0.0, 1], [1, 0], [2, 0], [3, 5]], np.float32))
Y = np.array(["c", "a", "b", "c"], object)


class NumbersOnly(DecisionTreeClassifier):
    """Takes what xgboost takes: dense features, and labels from 0 on."""

    def fit(self, X, y, sample_weight=None):
        assert isinstance(X, np.ndarray)
        assert set(y) == set(range(len(set(y))))
        return super().fit(X, y, sample_weight)


def test_a_dense_classifier_takes_sparse_features_and_labels():
    found = DenseClassifier(NumbersOnly(random_state=0)).fit(X, Y)
    assert found.classes_.tolist() == ["a", "b", "c"]
    assert found.predict(X).tolist() == Y.tolist()
    assert found.predict_proba(X)[0].tolist() == [0, 0, 1]


def test_weights_of_rows_reach_what_is_fitted():
    twice = sp.vstack([X, X], format="csr")
    labels = np.array(["a"] * 4 + ["b"] * 4, object)
    weights = np.repeat([1.0, 3.0], 4)
    found = DenseClassifier(NumbersOnly(random_state=0)).fit(twice, labels, sample_weight=weights)
    assert found.predict_proba(X)[0].tolist() == [0.25, 0.75]


def test_a_dense_regressor_takes_sparse_features():
    found = DenseRegressor(DecisionTreeRegressor(random_state=0)).fit(X, np.arange(4.0))
    assert found.predict(X).tolist() == [0, 1, 2, 3]
    assert not hasattr(clone(found), "estimator_")


def test_a_regressor_of_logarithms_predicts_the_target_as_it_is():
    line = sp.csr_matrix(np.arange(4.0)[:, None])
    found = LogRegressor(LinearRegression()).fit(line, np.expm1([0.0, 1, 2, 3]))
    np.testing.assert_allclose(found.predict(line), np.expm1([0, 1, 2, 3]), atol=1e-9)


def test_a_regressor_of_logarithms_stays_within_the_targets_it_has_seen():
    line = sp.csr_matrix(np.arange(4.0)[:, None])
    found = LogRegressor(LinearRegression()).fit(line, np.expm1([0.0, 1, 2, 3]))
    far = found.predict(sp.csr_matrix([[-50.0], [50.0]]))
    np.testing.assert_allclose(far, [0, np.expm1(3)])


def test_features_that_fill_the_memory_are_refused(monkeypatch):
    monkeypatch.setattr(adapted, "MOST_CELLS", 7)
    with pytest.raises(UserError, match="it needs all 2 features of 4 rows in memory"):
        as_dense(X)
    assert as_dense(X.toarray()).dtype == np.float64


@pytest.mark.parametrize("labels", [Y, np.array(["a", "b", "b", "a"], object)])
def test_scaling_keeps_the_most_probable_label(labels):
    inner = LinearSVC(random_state=0).fit(X, labels)
    scaled = ScaledClassifier(inner, 2.0)
    assert scaled.predict(X).tolist() == inner.predict(X).tolist()
    np.testing.assert_allclose(scaled.decision_function(X), 2 * inner.decision_function(X))
    np.testing.assert_allclose(scaled.predict_proba(X).sum(axis=1), 1)
