"""The weights of a linear model."""

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.naive_bayes import MultinomialNB

from models.adapted import ScaledClassifier


def find_weights(classifier: ClassifierMixin) -> tuple[np.ndarray, float] | None:
    """Return the weights, shape (n_features,), and intercept of the second class.

    Weights of naive Bayes are differences of log probabilities. A calibrated classifier has those
    of the classifier inside it: calibration changes the scale of scores, not their order. The
    result is None for a model without weights or without two labels.
    """
    if isinstance(classifier, ScaledClassifier):
        classifier = classifier.classifier
    if len(getattr(classifier, "classes_", ())) != 2:
        return None
    if hasattr(classifier, "coef_"):
        # RidgeClassifier has one axis if there are two labels.
        weights = np.atleast_2d(classifier.coef_)[0]
        return weights, float(np.ravel(classifier.intercept_)[0])
    if not hasattr(classifier, "feature_log_prob_"):
        return None
    # With two classes ComplementNB does not use the prior.
    is_multinomial = isinstance(classifier, MultinomialNB)
    prior = classifier.class_log_prior_ if is_multinomial else np.zeros(2)
    weights = classifier.feature_log_prob_
    return weights[1] - weights[0], float(prior[1] - prior[0])


def find_label_weights(classifier: ClassifierMixin) -> np.ndarray | None:
    """Return the weights of each of several labels less their mean, shape (n_labels, n_features).

    Only differences between labels count: the mean changes no probability. The result is None for
    a model without weights.
    """
    scale = 1.0
    if isinstance(classifier, ScaledClassifier):
        classifier, scale = classifier.classifier, classifier.slope
    weights = getattr(classifier, "coef_", getattr(classifier, "feature_log_prob_", None))
    if weights is None or len(weights) != len(classifier.classes_):
        return None
    return scale * (weights - weights.mean(axis=0))
