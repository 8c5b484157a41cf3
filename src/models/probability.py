"""Probabilities of labels."""

from typing import Any

import numpy as np
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator

# Rounding hides the last digits of a probability, which depend on the processor.
DECIMALS = 9


def predict_positive(model: BaseEstimator, positive: str, X: Any) -> np.ndarray:
    """Return the probability of the label ``positive`` for each row of ``X``, rounded.

    Parameters
    ----------
    model : classifier or Pipeline
        A fitted model with ``predict_proba``.
    positive : str
        One of its labels.
    X : csr_matrix of shape (n_rows, n_features), or list of str
        Features for a classifier, messages for a pipeline.

    Returns
    -------
    ndarray of float, shape (n_rows,)
    """
    column = list(model.classes_).index(positive)
    return model.predict_proba(X)[:, column].astype(float).round(DECIMALS)


def list_probabilities(logits: np.ndarray) -> np.ndarray:
    """Return the probability of each label, shape (n_rows, n_labels), from scaled scores."""
    probability = logistic(logits)
    if probability.ndim == 2:
        return probability
    return np.column_stack([1 - probability, probability])


def logistic(logits: np.ndarray) -> np.ndarray:
    """Return probabilities in the shape of the scaled scores: of the second label, or of all."""
    return expit(logits) if logits.ndim == 1 else softmax(logits, axis=1)
