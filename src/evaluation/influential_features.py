"""Find the features with the largest weights, and give them readable names."""

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.pipeline import Pipeline

from models.weights import find_weights

INFLUENTIAL_FEATURES = 15


def find_influential_features(
    model: Pipeline, X: sp.csr_matrix, is_positive: np.ndarray, positive: str
) -> tuple[np.ndarray, np.ndarray]:
    """Find the features with the largest weight for each label.

    The weights of naive Bayes are differences of log probabilities. The importances of trees have
    no sign: each gets that of the label for which the feature is larger on average.

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
    else:
        difference = X[is_positive].mean(axis=0) - X[~is_positive].mean(axis=0)
        weights = model[-1].feature_importances_ * np.sign(np.asarray(difference).ravel())
    order = np.argsort(weights, kind="stable")
    order = order[weights[order] != 0]
    if len(order) > 2 * INFLUENTIAL_FEATURES:
        order = np.concatenate([order[:INFLUENTIAL_FEATURES], order[-INFLUENTIAL_FEATURES:]])
    return name_features(model, order), weights[order]


def name_features(model: Pipeline, chosen: np.ndarray) -> np.ndarray:
    """Return readable names, shape (n_chosen,), of the features in columns ``chosen``."""
    columns = model.named_steps["columns"]
    names = np.empty(len(chosen), object)
    for branch, place in columns.output_indices_.items():
        is_here = (place.start <= chosen) & (chosen < place.stop)
        if not is_here.any():
            continue
        numbers = chosen[is_here] - place.start
        transformer = columns.named_transformers_[branch]
        if isinstance(transformer[0], HashingVectorizer):
            terms = numbers.astype(str)
        else:
            terms = transformer.get_feature_names_out([branch])[numbers]
        names[is_here] = [f"{branch}: {term.replace(' ', '␣')}" for term in terms]
    return names
