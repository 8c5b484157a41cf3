"""Tests that a linear model scores messages as its scikit-learn pipeline does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.naive_bayes import ComplementNB, MultinomialNB
from sklearn.svm import LinearSVC

from models import linear_scorer
from models.adapted import ScaledClassifier
from models.linear_scorer import derive_scorer
from models.probability import DECIMALS
from models.scoring import score_texts
from models.self_test import PROBES
from tests.support.small_model import HAM, SPAM, fit_model

CLASSIFIERS = {
    "logistic": None,
    "complement": ComplementNB(),
    "multinomial": MultinomialNB(),
    "calibrated": ScaledClassifier(LinearSVC(), 2.0, 1.0),
}
MODELS = {name: fit_model(classifier) for name, classifier in CLASSIFIERS.items()}
MODELS["counts"] = fit_model(vectorizer="count")
MODELS["without statistics"] = fit_model(statistics=False)
WORDS = st.sampled_from(" ".join(HAM + SPAM).split())
TEXTS = st.lists(st.text(max_size=30) | st.lists(WORDS).map(" ".join), min_size=1, max_size=5)


@pytest.mark.parametrize("name", MODELS)
@settings(deadline=None, max_examples=40)
@given(texts=TEXTS)
def test_probabilities_are_those_of_scikit_learn(name, texts):
    scorer = derive_scorer(MODELS[name])
    expected = MODELS[name].predict_proba(texts)[:, 1]
    np.testing.assert_allclose(scorer(texts), expected, rtol=0, atol=1e-10)


def test_a_probability_does_not_depend_on_the_other_messages():
    scorer = derive_scorer(MODELS["logistic"])
    alone = np.concatenate([scorer([text]) for text in PROBES])
    assert alone.round(DECIMALS).tolist() == scorer(PROBES).round(DECIMALS).tolist()


@pytest.mark.parametrize(
    "model",
    [
        fit_model(RandomForestClassifier(3, random_state=0)),
        fit_model(SGDClassifier(loss="modified_huber", random_state=0)),
        fit_model(LogisticRegression(C=100)),
        fit_model(vectorizer="hashing"),
    ],
    ids=["not linear", "another probability", "float32", "hashed"],
)
def test_other_models_are_scored_by_scikit_learn(model):
    assert derive_scorer(model) is None
    expected = model.predict_proba(SPAM)[:, 1].astype(float).round(9)
    assert score_texts(model, "spam", SPAM).tolist() == expected.tolist()


def test_a_scorer_that_gives_other_results_is_not_used(monkeypatch, caplog):
    monkeypatch.setattr(linear_scorer, "normalise_text", str.upper)
    assert derive_scorer(MODELS["logistic"]) is None
    assert "scikit-learn scores" in caplog.text


@pytest.mark.parametrize(
    "changes", [{"ngram_range": (1, 1)}, {"analyzer": "char"}], ids=["longer n-grams", "analyzer"]
)
def test_scikit_learn_scores_with_vectorisers_that_the_scorer_cannot_read(changes):
    model = fit_model()
    model["columns"].named_transformers_["words"][0].set_params(**changes)
    expected = model.predict_proba(SPAM)[:, 1].round(9)
    assert score_texts(model, "spam", SPAM).tolist() == expected.tolist()


def test_the_scorer_of_a_model_is_derived_once(monkeypatch):
    model, calls = fit_model(), []
    monkeypatch.setattr("models.scoring.derive_scorer", calls.append)
    for _ in range(2):
        score_texts(model, "spam", SPAM)
    assert calls == [model]
