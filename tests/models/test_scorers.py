"""Tests of the scores of cross-validation."""

from typing import get_args

import numpy as np
import pytest
from sklearn import metrics

from models.scorers import SCORES, Score
from models.training import score_folds

rng = np.random.default_rng(0)
IS_POSITIVE = rng.random(80) < 0.3
PROBABILITY = np.clip(0.3 * IS_POSITIVE + 0.7 * rng.random(80), 0, 1)
FOLDS = np.arange(80) % 2


def test_every_score_that_params_may_name_is_known():
    assert set(SCORES) == set(get_args(Score))


@pytest.mark.parametrize(
    ("scoring", "score"),
    [
        ("f1", metrics.f1_score),
        ("precision", metrics.precision_score),
        ("recall", metrics.recall_score),
        ("accuracy", metrics.accuracy_score),
        ("matthews_corrcoef", metrics.matthews_corrcoef),
    ],
)
def test_labels_are_predicted_from_one_half_on(scoring, score):
    expected = [
        score(IS_POSITIVE[fold == FOLDS], PROBABILITY[fold == FOLDS] > 0.5) for fold in (0, 1)
    ]
    assert score_folds(IS_POSITIVE, PROBABILITY, FOLDS, scoring) == expected


@pytest.mark.parametrize("scoring", ["average_precision", "roc_auc"])
def test_areas_are_of_the_probabilities(scoring):
    halved = score_folds(IS_POSITIVE, PROBABILITY / 2, FOLDS, scoring)
    assert halved == score_folds(IS_POSITIVE, PROBABILITY, FOLDS, scoring)
