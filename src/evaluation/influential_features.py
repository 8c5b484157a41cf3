"""Find the features with the largest weights."""

import numpy as np
import scipy.sparse as sp
from sklearn.pipeline import Pipeline

from features.names import name_features
from models.weights import find_weights

INFLUENTIAL_FEATURES = 15


def find_influential_features(
    model: Pipeline, X: sp.csr_matrix, is_positive: np.ndarray, positive: str
) -> tuple[np.ndarray, np.ndarray] | None:
    """Find the features with the largest weight for each label.

    The weights of naive Bayes are differences of log probabilities. The importances of trees have
    no sign: each gets that of the label for which the feature is larger on average. The result is
    None for a model with neither.

    Returns
    -------
    names : ndarray of str, shape (2 * 15,) or fewer
        Names, in the order of their weights.
    weights : ndarray of float
        Above zero for the positive label, below zero for the negative one.
    """
    found = find_weights(model[-1])
    if found is not None:
        weights = found[0] * (1 if model.classes_[1] == positive else -1)
    elif hasattr(model[-1], "feature_importances_"):
        difference = X[is_positive].mean(axis=0) - X[~is_positive].mean(axis=0)
        weights = model[-1].feature_importances_ * np.sign(np.asarray(difference).ravel())
    else:
        return None
    order = np.argsort(weights, kind="stable")
    order = order[weights[order] != 0]
    if len(order) > 2 * INFLUENTIAL_FEATURES:
        order = np.concatenate([order[:INFLUENTIAL_FEATURES], order[-INFLUENTIAL_FEATURES:]])
    return name_features(model["columns"], order), weights[order]
