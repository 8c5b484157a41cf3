"""Tests of scorers."""

from typing import get_args

import numpy as np
import pytest
from sklearn import metrics
from sklearn.linear_model import LogisticRegression

from models.scorers import Score, build_scorer

rng = np.random.default_rng(0)
X = rng.normal(size=(80, 2))
Y = np.where(X[:, 0] + rng.normal(size=80) > 0.5, "advert", "wanted").astype(object)
CLASSIFIER = LogisticRegression().fit(X, Y)
PREDICTED = CLASSIFIER.predict(X)
DECISION = CLASSIFIER.decision_function(X)


@pytest.mark.parametrize(
    ("scoring", "score"),
    [
        ("f1", metrics.f1_score),
        ("precision", metrics.precision_score),
        ("recall", metrics.recall_score),
    ],
)
@pytest.mark.parametrize("positive", ["advert", "wanted"])
def test_counts_the_positive_label(scoring, score, positive):
    expected = score(Y, PREDICTED, pos_label=positive)
    assert build_scorer(scoring, positive)(CLASSIFIER, X, Y) == expected


@pytest.mark.parametrize(("positive", "sign"), [("advert", -1), ("wanted", 1)])
def test_ranks_by_the_positive_label(positive, sign):
    expected = metrics.average_precision_score(positive == Y, sign * DECISION)
    assert build_scorer("average_precision", positive)(CLASSIFIER, X, Y) == expected


@pytest.mark.parametrize("scoring", ["accuracy", "matthews_corrcoef", "roc_auc"])
def test_other_scores_do_not_depend_on_the_positive_label(scoring):
    scores = {build_scorer(scoring, label)(CLASSIFIER, X, Y) for label in ("advert", "wanted")}
    assert scores == {metrics.get_scorer(scoring)(CLASSIFIER, X, Y)}


@pytest.mark.parametrize("scoring", get_args(Score))
def test_every_score_has_a_scorer(scoring):
    assert 0.5 < build_scorer(scoring, "wanted")(CLASSIFIER, X, Y) <= 1
