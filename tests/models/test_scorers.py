"""Tests of the scores of cross-validation."""

import numpy as np
import pytest
from sklearn import metrics

from core.errors import UserError
from models.folds import NEVER
from models.scorers import OF_LABELS, OF_OUTPUTS, check_scoring, score_folds
from records.tasks import TASKS

rng = np.random.default_rng(0)
IS_POSITIVE = rng.random(80) < 0.3
PROBABILITY = np.clip(0.3 * IS_POSITIVE + 0.7 * rng.random(80), 0, 1)
FOLDS = np.arange(80) % 2
CODES = np.arange(80) // 2 % 3
MATRIX = rng.dirichlet(np.ones(3), 80)


def test_every_score_of_a_task_is_known():
    known = {*OF_LABELS, *OF_OUTPUTS}
    assert known == {score for task in TASKS.values() for score in task.scores}


def test_a_score_of_another_task_is_refused():
    message = "task regression has no score 'f1': choose one of r2, neg_mean_absolute_error"
    with pytest.raises(UserError, match=message):
        check_scoring("f1", TASKS["regression"])


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


@pytest.mark.parametrize(
    ("scoring", "score"),
    [
        ("accuracy", lambda y, p: metrics.accuracy_score(y, p.argmax(axis=1))),
        ("f1_macro", lambda y, p: metrics.f1_score(y, p.argmax(axis=1), average="macro")),
        ("neg_log_loss", lambda y, p: -metrics.log_loss(y, p)),
        ("roc_auc_ovr", lambda y, p: metrics.roc_auc_score(y, p, multi_class="ovr")),
    ],
)
def test_of_several_labels_the_most_probable_one_is_predicted(scoring, score):
    expected = [score(CODES[fold == FOLDS], MATRIX[fold == FOLDS]) for fold in (0, 1)]
    assert score_folds(CODES, MATRIX, FOLDS, scoring) == pytest.approx(expected)


@pytest.mark.parametrize("task", TASKS)
def test_a_better_prediction_has_a_higher_score(task):
    truth, good, bad = {
        "binary": (IS_POSITIVE, 0.1 + 0.8 * IS_POSITIVE, PROBABILITY),
        "multiclass": (CODES, 0.1 + 0.7 * np.eye(3)[CODES], MATRIX),
        "regression": (PROBABILITY, PROBABILITY + 0.01, PROBABILITY[::-1]),
    }[task]
    for scoring in TASKS[task].scores:
        better, worse = (np.mean(score_folds(truth, each, FOLDS, scoring)) for each in (good, bad))
        assert better > worse, scoring


def test_rows_that_are_never_held_out_do_not_count():
    folds = np.where(np.arange(80) < 20, NEVER, FOLDS)
    probability = np.where(folds == NEVER, np.nan, PROBABILITY)
    assert score_folds(IS_POSITIVE, probability, folds, "roc_auc") == score_folds(
        IS_POSITIVE[20:], PROBABILITY[20:], FOLDS[20:], "roc_auc"
    )
