"""Tests of the weights of linear models."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import ComplementNB, MultinomialNB
from sklearn.svm import LinearSVC

from models.adapted import ScaledClassifier
from models.weights import find_weights

X = np.array([[3, 0], [2, 1], [4, 0], [0, 2], [1, 3], [0, 4]], float)
Y = np.array(["ham"] * 3 + ["spam"] * 3, object)


@pytest.mark.parametrize(
    "classifier", [LogisticRegression(), LinearSVC(), RidgeClassifier()], ids=str
)
def test_weights_and_intercept_make_the_decision_function(classifier):
    weights, intercept = find_weights(classifier.fit(X, Y))
    assert X @ weights + intercept == pytest.approx(classifier.decision_function(X))


@pytest.mark.parametrize("classifier", [MultinomialNB(), ComplementNB()], ids=str)
def test_weights_of_naive_bayes_give_the_log_odds(classifier):
    weights, intercept = find_weights(classifier.fit(X, Y))
    ham, spam = classifier.predict_log_proba(X).T
    assert X @ weights + intercept == pytest.approx(spam - ham)


def test_a_calibrated_classifier_has_the_weights_of_its_inner_one():
    calibrated = ScaledClassifier(LinearSVC(), 2.0, 1.0).fit(X, Y)
    inner = calibrated.classifier
    weights, intercept = find_weights(calibrated)
    assert X @ weights + intercept == pytest.approx(inner.decision_function(X))


def test_trees_have_no_weights():
    assert find_weights(RandomForestClassifier(3).fit(X, Y)) is None


def test_a_model_without_two_labels_has_no_weights_of_the_second():
    labels = np.resize(["a", "b", "c"], len(Y))
    assert find_weights(LogisticRegression().fit(X, labels)) is None
    assert find_weights(LinearRegression().fit(X, np.arange(len(Y)))) is None
