"""Find the features that speak most for each of several labels."""

import numpy as np
from sklearn.pipeline import Pipeline

from features.names import name_features

TELLING_FEATURES = 10


def find_telling_features(model: Pipeline, labels: list[str]) -> dict[str, list[str]]:
    """Return the names of the features with the largest weights for each label.

    Weights of naive Bayes are log probabilities less their mean over the labels. The result is
    empty for a model that has no weights for each label, such as one of trees or of two labels.
    """
    # Calibration does not change which weights are the largest.
    classifier = getattr(model[-1], "classifier", model[-1])
    weights = getattr(classifier, "coef_", getattr(classifier, "feature_log_prob_", None))
    known = list(getattr(classifier, "classes_", []))
    if weights is None or len(weights) != len(labels) or sorted(known) != sorted(labels):
        return {}
    weights = np.asarray(weights) - np.mean(weights, axis=0)
    found = {}
    for label in labels:
        of_label = weights[known.index(label)]
        order = np.argsort(-of_label, kind="stable")[:TELLING_FEATURES]
        found[label] = list(name_features(model["columns"], order[of_label[order] > 0]))
    return found
