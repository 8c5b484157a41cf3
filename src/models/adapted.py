"""Estimators in a form that takes sparse features and labels, and gives probabilities."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone

from core.errors import UserError
from models.probability import list_probabilities

# Numbers of eight bytes: two gigabytes.
MOST_CELLS = 2**28


def as_dense(X: sp.spmatrix | np.ndarray) -> np.ndarray:
    """Return features as a float64 array.

    Raises
    ------
    UserError
        If it would need gigabytes.
    """
    if isinstance(X, np.ndarray):
        return X.astype(np.float64, copy=False)
    n_rows, n_columns = X.shape
    if n_rows * n_columns > MOST_CELLS:
        raise UserError(
            f"model_building.estimator: it needs all {n_columns:,} features of {n_rows:,} rows in "
            f"memory, {8 * n_rows * n_columns / 1e9:.0f} GB",
            "choose lightgbm or a linear estimator, or lower max_features",
        )
    return X.toarray().astype(np.float64, copy=False)


class DenseEstimator(BaseEstimator):
    """What both kinds share: the estimator is fitted on dense features.

    Parameters
    ----------
    estimator : estimator
        What to fit.

    Attributes
    ----------
    estimator_ : fitted estimator
    """

    def __init__(self, estimator: Any = None) -> None:
        self.estimator = estimator

    def fit_dense(self, X: Any, y: np.ndarray, sample_weight: np.ndarray | None) -> None:
        """Fit a copy of the estimator."""
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        self.estimator_ = clone(self.estimator).fit(as_dense(X), y, **weights)
        self.n_features_in_ = X.shape[1]


class DenseRegressor(RegressorMixin, DenseEstimator):
    """A regressor that is fitted on dense features."""

    def fit(
        self, X: Any, y: np.ndarray, sample_weight: np.ndarray | None = None
    ) -> "DenseRegressor":
        """Fit the regressor on features, shape (n_rows, n_features), and numbers."""
        self.fit_dense(X, y, sample_weight)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the predicted numbers, shape (n_rows,)."""
        return self.estimator_.predict(as_dense(X)).astype(np.float64)


class DenseClassifier(ClassifierMixin, DenseEstimator):
    """A classifier that is fitted on dense features, and on the numbers of the labels.

    Attributes
    ----------
    classes_ : ndarray of shape (n_labels,)
        The labels.
    """

    def fit(
        self, X: Any, y: np.ndarray, sample_weight: np.ndarray | None = None
    ) -> "DenseClassifier":
        """Fit the classifier on features, shape (n_rows, n_features), and labels."""
        self.classes_, numbers = np.unique(y, return_inverse=True)
        self.fit_dense(X, numbers, sample_weight)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each label, shape (n_rows, n_labels)."""
        return self.estimator_.predict_proba(as_dense(X)).astype(np.float64)

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable label of each row."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class LogRegressor(RegressorMixin, BaseEstimator):
    """A regressor that is fitted on log(1 + target); the 1 lets a target be 0.

    Predictions stay within the range of the training targets: a linear model may extrapolate far,
    and the exponential of that is without limit.

    Parameters
    ----------
    estimator : regressor
        What to fit.

    Attributes
    ----------
    estimator_ : fitted regressor
        Predicts log(1 + target).
    range_ : ndarray of float64, shape (2,)
        The lowest and the highest of these in the training set.
    """

    def __init__(self, estimator: Any = None) -> None:
        self.estimator = estimator

    def fit(self, X: Any, y: np.ndarray) -> "LogRegressor":
        """Fit the regressor on features, shape (n_rows, n_features), and numbers from 0 on."""
        logarithms = np.log1p(y)
        self.range_ = np.array([logarithms.min(), logarithms.max()])
        self.estimator_ = clone(self.estimator).fit(X, logarithms)
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the predicted numbers, shape (n_rows,)."""
        return np.expm1(np.clip(self.estimator_.predict(X), *self.range_))


class ScaledClassifier(ClassifierMixin, BaseEstimator):
    """A fitted classifier whose scores, scaled, are logits of probabilities.

    Parameters
    ----------
    classifier : fitted classifier with ``decision_function``
        What gives the scores.
    slope, offset : float
        By which a score is multiplied, and what is then added.
    """

    def __init__(self, classifier: Any = None, slope: float = 1.0, offset: float = 0.0) -> None:
        self.classifier = classifier
        self.slope = slope
        self.offset = offset

    def fit(self, X: Any, y: np.ndarray) -> "ScaledClassifier":
        """Fit the classifier on features and labels; slope and offset stay as they are."""
        self.classifier.fit(X, y)
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self.classifier, "classes_")

    @property
    def classes_(self) -> np.ndarray:
        """The labels."""
        return self.classifier.classes_

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the scaled scores, shape (n_rows,), or (n_rows, n_labels) for more labels."""
        return self.slope * self.classifier.decision_function(X) + self.offset

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each label, shape (n_rows, n_labels)."""
        return list_probabilities(self.decision_function(X))

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable label of each row."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]
