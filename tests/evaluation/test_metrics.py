"""Tests of metrics, compared with scikit-learn's."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from evaluation.metrics import (
    find_loss,
    format_metric,
    is_lower_better,
    rates_by_threshold,
    weighted_metrics,
)
from tests.support.scored_rows import ROWS, TENTHS, make_arrays, measure


@settings(deadline=None)
@given(ROWS, TENTHS)
def test_agrees_with_scikit_learn(rows, threshold):
    truth, probability, weights = make_arrays(rows)
    values = measure(truth, probability, weights, threshold)
    predicted = probability >= threshold
    by_class = {
        "accuracy": sk.accuracy_score(truth, predicted, sample_weight=weights),
        "precision": sk.precision_score(truth, predicted, sample_weight=weights, zero_division=0),
        "recall": sk.recall_score(truth, predicted, sample_weight=weights),
        "f1": sk.f1_score(truth, predicted, sample_weight=weights),
        "mcc": sk.matthews_corrcoef(truth, predicted, sample_weight=weights),
    }
    by_probability = {
        "roc_auc": sk.roc_auc_score(truth, probability, sample_weight=weights),
        "average_precision": sk.average_precision_score(truth, probability, sample_weight=weights),
        "brier_score": sk.brier_score_loss(truth, probability, sample_weight=weights),
    }
    expected = by_class | by_probability
    assert {name: values[name] for name in expected} == pytest.approx(expected, abs=1e-12)


@settings(deadline=None)
@given(ROWS, TENTHS)
def test_finds_the_best_recall_of_all_thresholds_below_the_false_positive_rate(rows, max_fpr):
    truth, probability, weights = make_arrays(rows)
    recalls = [0.0]
    for threshold in set(probability):
        predicted = probability >= threshold
        fpr = weights[predicted & ~truth].sum() / weights[~truth].sum()
        if fpr <= max_fpr:
            recalls.append(weights[predicted & truth].sum() / weights[truth].sum())
    found = measure(truth, probability, weights, max_fpr=max_fpr)["recall_at_max_fpr"]
    assert found == pytest.approx(max(recalls))


def test_counts_the_share_of_negatives_predicted_positive():
    truth = np.array([False, False, False, False, True])
    probability = np.array([0.9, 0.5, 0.4, 0.1, 0.8])
    assert measure(truth, probability)["fpr"] == 0.5


def test_a_probability_at_the_threshold_is_positive():
    truth, probability = np.array([True, False]), np.array([0.3, 0.2])
    assert measure(truth, probability, threshold=0.3)["recall"] == 1


def test_precision_and_correlation_are_zero_where_nothing_is_predicted_positive():
    values = measure(np.array([True, False]), np.array([0.2, 0.1]))
    assert (values["precision"], values["mcc"], values["f1"]) == (0, 0, 0)


def test_a_weight_counts_like_repeated_rows():
    truth = np.array([True, False, True, False])
    probability = np.array([0.9, 0.7, 0.3, 0.1])
    counts = np.array([2, 1, 0, 3])
    repeated = measure(np.repeat(truth, counts), np.repeat(probability, counts))
    assert measure(truth, probability, counts) == pytest.approx(repeated)


def test_each_weighting_gives_the_same_result_alone():
    truth = np.array([True, False, True, False])
    probability = np.array([0.9, 0.7, 0.3, 0.1])
    weights = np.array([[1, 1, 1, 1], [2, 1, 0, 3], [1, 0, 5, 2]])
    together = weighted_metrics(truth, probability, weights, 0.5, 0.1)
    for k, row in enumerate(weights):
        assert {name: value[k] for name, value in together.items()} == measure(
            truth, probability, row
        )


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 100)), min_size=2, max_size=20))
def test_rates_at_every_hundredth(rows):
    truth, percent = (np.array(column) for column in zip(*rows, strict=True))
    assume(truth.any() and not truth.all())
    thresholds, recall, fpr = rates_by_threshold(truth, percent / 100)
    assert thresholds.tolist() == [n / 100 for n in range(101)]
    assert recall.tolist() == pytest.approx([(percent[truth] >= n).mean() for n in range(101)])
    assert fpr.tolist() == pytest.approx([(percent[~truth] >= n).mean() for n in range(101)])


@pytest.mark.parametrize(
    ("name", "is_lower"),
    [
        ("test.ham_blocked", True),
        ("recall_at_max_fpr", False),
        ("test.mae", True),
        ("cv.neg_mean_absolute_error", False),
        ("neg_log_loss", False),
        ("log_loss", True),
        ("calibration_error", True),
        ("macro_f1", False),
        ("r2", False),
    ],
)
def test_a_metric_has_a_direction(name, is_lower):
    assert is_lower_better(name) is is_lower


@pytest.mark.parametrize(
    ("name", "better", "worse"),
    [("mcc", 0.9, 0.8), ("test.rmse", 1.0, 2.0), ("total_bias", -0.1, 0.2)],
)
def test_the_loss_of_a_better_metric_is_lower(name, better, worse):
    assert find_loss(name, better) < find_loss(name, worse)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("accuracy", 0.5, "50.00%"),
        ("mcc", 0.5, "0.5000"),
        ("mae", 276.4321, "276.4"),
        ("rmse", 12345.6, "12,346"),
        ("mae", 0.00012345, "0.0001234"),
    ],
)
def test_a_metric_is_shown_in_its_unit(name, value, text):
    assert format_metric(name, value) == text
