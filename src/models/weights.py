"""The weights of a model that is linear in its features."""

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.naive_bayes import MultinomialNB


def find_weights(classifier: ClassifierMixin) -> tuple[np.ndarray, float] | None:
    """Return weights, shape (n_features,), and intercept of the second class; None without any.

    Those of naive Bayes are differences of log probabilities. A calibrated classifier has those of
    the one within: calibration changes the scale, not the order.
    """
    if isinstance(classifier, CalibratedClassifierCV):
        classifier = classifier.calibrated_classifiers_[0].estimator
    if hasattr(classifier, "coef_"):
        return classifier.coef_[0], float(np.ravel(classifier.intercept_)[0])
    if not hasattr(classifier, "feature_log_prob_"):
        return None
    # With two classes ComplementNB leaves the prior out.
    is_multinomial = isinstance(classifier, MultinomialNB)
    prior = classifier.class_log_prior_ if is_multinomial else np.zeros(2)
    weights = classifier.feature_log_prob_
    return weights[1] - weights[0], float(prior[1] - prior[0])
