"""Tests of metrics, against scikit-learn's, and of their bootstrap intervals."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from common import metrics
from common.metrics import evaluate, rates_by_threshold, resample_groups, weighted_metrics

# Few distinct ones, so that rows tie with one another and with the threshold.
TENTHS = st.integers(0, 10).map(lambda n: n / 10)
ROWS = st.lists(st.tuples(st.booleans(), TENTHS, st.integers(0, 3)), min_size=2, max_size=20)
GROUPED = st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=15)


def make_arrays(rows):
    truth, probability, weights = (np.array(column) for column in zip(*rows, strict=True))
    assume(weights[truth].sum() > 0)
    assume(weights[~truth].sum() > 0)
    return truth, probability, weights


def measure(truth, probability, weights=None, threshold=0.5, max_fpr=0.1):
    weights = np.ones(len(truth)) if weights is None else weights
    values = weighted_metrics(truth, probability, weights[None], threshold, max_fpr)
    return {name: value.item() for name, value in values.items()}


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


def test_a_weight_stands_for_so_many_equal_rows():
    truth = np.array([True, False, True, False])
    probability = np.array([0.9, 0.7, 0.3, 0.1])
    counts = np.array([2, 1, 0, 3])
    repeated = measure(np.repeat(truth, counts), np.repeat(probability, counts))
    assert measure(truth, probability, counts) == pytest.approx(repeated)


def test_measures_each_weighting_as_if_alone():
    truth = np.array([True, False, True, False])
    probability = np.array([0.9, 0.7, 0.3, 0.1])
    weights = np.array([[1, 1, 1, 1], [2, 1, 0, 3], [1, 0, 5, 2]])
    together = weighted_metrics(truth, probability, weights, 0.5, 0.1)
    for k, row in enumerate(weights):
        assert {name: value[k] for name, value in together.items()} == measure(
            truth, probability, row
        )


@settings(deadline=None)
@given(GROUPED, st.integers(0, 5))
def test_rows_of_one_group_share_a_weight(rows, seed):
    truth, groups = (np.array(column) for column in zip(*rows, strict=True))
    weights = resample_groups(truth, groups, 4, np.random.default_rng(seed))
    assert weights.shape == (4, len(rows))
    for group in set(groups):
        members = weights[:, groups == group]
        assert (members == members[:, :1]).all()


@settings(deadline=None)
@given(GROUPED, st.integers(0, 5))
def test_draws_as_many_groups_of_each_class_as_there_are(rows, seed):
    truth, groups = (np.array(column) for column in zip(*rows, strict=True))
    weights = resample_groups(truth, groups, 4, np.random.default_rng(seed))
    _, first = np.unique(groups, return_index=True)
    positive = np.array([truth[groups == groups[i]].any() for i in first])
    drawn = weights[:, first]
    assert (drawn[:, positive].sum(axis=1) == positive.sum()).all()
    assert (drawn[:, ~positive].sum(axis=1) == (~positive).sum()).all()


def test_draws_the_same_samples_for_the_same_seed():
    truth, groups = np.array([True, False, False, True]), np.array([7, 3, 3, 9])
    once, again, other = (
        resample_groups(truth, groups, 50, np.random.default_rng(seed)) for seed in (0, 0, 1)
    )
    assert (once == again).all()
    assert (once != other).any()


def test_draws_every_row_once_on_average():
    truth, groups = np.arange(6) < 3, np.arange(6)
    weights = resample_groups(truth, groups, 4000, np.random.default_rng(0))
    assert weights.mean(axis=0) == pytest.approx(np.ones(6), abs=0.1)


def make_noisy_scores():
    """Return truth and probabilities that overlap, 60 rows."""
    rng = np.random.default_rng(0)
    truth = np.arange(60) % 2 == 0
    return truth, np.clip(0.25 + 0.5 * truth + rng.normal(0, 0.25, 60), 0, 1)


def test_intervals_hold_the_value_and_have_a_width():
    truth, probability = make_noisy_scores()
    values, intervals = evaluate(truth, probability, np.arange(60), 0.5, 0.1, 500, 0)
    assert values.keys() == intervals.keys()
    for name, interval in intervals.items():
        assert interval["low"] < values[name] < interval["high"], name


def test_intervals_hold_95_per_cent_of_the_samples(monkeypatch):
    monkeypatch.setattr(metrics, "BLOCK_SAMPLES", 2000)
    truth, probability = make_noisy_scores()
    _, intervals = evaluate(truth, probability, np.arange(60), 0.5, 0.1, 2000, 0)
    weights = resample_groups(truth, np.arange(60), 2000, np.random.default_rng(0))
    samples = weighted_metrics(truth, probability, weights, 0.5, 0.1)["brier_score"]
    low, high = intervals["brier_score"].values()
    assert np.mean((samples >= low) & (samples <= high)) == pytest.approx(0.95, abs=0.002)


def test_draws_as_many_samples_as_asked_for(monkeypatch):
    sizes = []

    def draw(truth, groups, n_samples, rng):
        sizes.append(n_samples)
        return resample_groups(truth, groups, n_samples, rng)

    monkeypatch.setattr(metrics, "resample_groups", draw)
    monkeypatch.setattr(metrics, "BLOCK_SAMPLES", 50)
    evaluate(np.arange(8) < 4, np.arange(8) / 8, np.arange(8), 0.5, 0.1, 120, 0)
    assert sizes == [50, 50, 20]


def test_a_perfect_classifier_has_no_doubt():
    truth = np.array([True, True, False, False])
    values, intervals = evaluate(truth, truth.astype(float), np.arange(4), 0.5, 0, 100, 0)
    expected = {name: 0 if name in ("brier_score", "fpr") else 1 for name in values}
    assert values == expected
    assert intervals == {name: {"low": n, "high": n} for name, n in expected.items()}


def test_intervals_are_wider_where_rows_depend_on_one_another():
    truth, probability = (np.repeat(column, 5) for column in make_noisy_scores())
    widths = []
    for groups in (np.arange(300), np.repeat(np.arange(60), 5)):
        _, intervals = evaluate(truth, probability, groups, 0.5, 0.1, 500, 0)
        widths.append(intervals["accuracy"]["high"] - intervals["accuracy"]["low"])
    assert widths[1] > 1.5 * widths[0]


def test_gives_plain_numbers_of_six_digits():
    truth, probability = make_noisy_scores()
    values, _ = evaluate(truth, probability, np.arange(60), 0.5, 0.1, 100, 0)
    assert {type(value) for value in values.values()} == {float}
    assert all(value == round(value, 6) for value in values.values())


@pytest.mark.parametrize("label", [True, False])
def test_refuses_to_evaluate_one_label(label):
    with pytest.raises(ValueError, match="all rows have one label"):
        evaluate(np.array([label, label]), np.array([0.1, 0.9]), np.arange(2), 0.5, 0.1, 100, 0)


def test_gives_intervals_where_every_negative_shares_a_group_with_a_positive():
    truth, groups = np.array([True, False, True]), np.array([0, 0, 1])
    _, intervals = evaluate(truth, np.array([0.9, 0.2, 0.4]), groups, 0.5, 0.1, 100, 0)
    assert all(math.isfinite(n) for interval in intervals.values() for n in interval.values())


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 100)), min_size=2, max_size=20))
def test_rates_at_every_hundredth(rows):
    truth, percent = (np.array(column) for column in zip(*rows, strict=True))
    assume(truth.any() and not truth.all())
    thresholds, recall, fpr = rates_by_threshold(truth, percent / 100)
    assert thresholds.tolist() == [n / 100 for n in range(101)]
    assert recall.tolist() == pytest.approx([(percent[truth] >= n).mean() for n in range(101)])
    assert fpr.tolist() == pytest.approx([(percent[~truth] >= n).mean() for n in range(101)])
