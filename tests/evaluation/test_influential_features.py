"""Tests of finding the features with the largest weights."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import ComplementNB, MultinomialNB
from sklearn.svm import LinearSVC

from evaluation.influential_features import find_influential_features
from models.adapted import ScaledClassifier
from tests.support.word_counts import TRAIN, make_model


@pytest.mark.parametrize(
    "classifier",
    [
        LogisticRegression(),
        ScaledClassifier(LinearSVC(), 2.0, 1.0),
        MultinomialNB(),
        ComplementNB(),
        RandomForestClassifier(10, random_state=0),
    ],
    ids=lambda classifier: type(classifier).__name__,
)
@pytest.mark.parametrize("names", [("ham", "spam"), ("wanted", "advert")])
def test_weights_have_the_sign_of_their_label(classifier, names):
    df = TRAIN.assign(label=TRAIN["label"].cat.rename_categories(list(names)))
    model, X = make_model(classifier, df)
    is_positive = (df["label"] == names[1]).to_numpy()
    terms, weights = find_influential_features(model, X, is_positive, names[1])
    weight_of = dict(zip(terms, weights, strict=True))
    assert weight_of["words: cash"] > 0
    assert weight_of["words: later"] < 0
    assert (np.diff(weights) >= 0).all()


def test_hashed_features_are_named_by_number():
    model, X = make_model(LogisticRegression(), TRAIN, HashingVectorizer(n_features=16))
    terms, _ = find_influential_features(model, X, (TRAIN["label"] == "spam").to_numpy(), "spam")
    assert set(terms) <= {f"words: {number}" for number in range(16)}
