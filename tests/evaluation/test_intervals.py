"""Tests of the confidence intervals of metrics."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from evaluation import intervals as ours
from evaluation.binary import compute_metrics
from evaluation.intervals import bound_rate, find_lowest_areas, resample_groups
from evaluation.metrics import weighted_metrics
from evaluation.scores import EvaluationParams
from tests.support.scored_rows import ROWS, TENTHS, make_arrays, measure

GROUPED = st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=15)


def evaluate(truth, probability, groups, threshold, max_fpr, n_samples, random_state):
    params = EvaluationParams(
        threshold=threshold,
        max_fpr=max_fpr,
        bootstrap_samples=n_samples,
        random_state=random_state,
        slices=[],
        interval_coverage=0.9,
    )
    df = pd.DataFrame({"is_positive": truth, "probability": probability, "group": groups})
    found = compute_metrics(df, ["ham", "spam"], params)
    return tuple({**values, "fpr": values["ham_blocked"]} for values in found)


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


def test_intervals_contain_the_value_and_have_a_width():
    truth, probability = make_noisy_scores()
    values, intervals = evaluate(truth, probability, np.arange(60), 0.5, 0.1, 500, 0)
    assert values.keys() == intervals.keys()
    for name, interval in intervals.items():
        assert interval["low"] < values[name] < interval["high"], name


def test_intervals_contain_95_per_cent_of_the_samples(monkeypatch):
    monkeypatch.setattr(ours, "BLOCK_SAMPLES", 2000)
    truth, probability = make_noisy_scores()
    _, intervals = evaluate(truth, probability, np.arange(60), 0.5, 0.1, 2000, 0)
    weights = resample_groups(truth, np.arange(60), 2000, np.random.default_rng(0))
    samples = weighted_metrics(truth, probability, weights, 0.5, 0.1)["brier_score"]
    low, high = intervals["brier_score"].values()
    assert np.mean((samples >= low) & (samples <= high)) == pytest.approx(0.95, abs=0.002)


def test_draws_as_many_samples_as_asked_for(monkeypatch):
    sizes = []

    def draw(strata, member, n_samples, rng):
        sizes.append(n_samples)
        return original(strata, member, n_samples, rng)

    original = ours.draw
    monkeypatch.setattr(ours, "draw", draw)
    monkeypatch.setattr(ours, "BLOCK_SAMPLES", 50)
    evaluate(np.arange(8) < 4, np.arange(8) / 8, np.arange(8), 0.5, 0.1, 120, 0)
    assert sizes == [50, 50, 20]


@pytest.mark.parametrize("value", [0, 1])
@pytest.mark.parametrize("n_groups", [1, 2, 98, 896, 1_000_000])
def test_bounds_a_rate_of_0_or_1_as_scipy_does(value, n_groups):
    exact = binomtest(value * n_groups, n_groups).proportion_ci(0.95, method="exact")
    assert bound_rate(value, n_groups) == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize("value", [0, 1])
def test_a_rate_of_no_observations_can_be_anything(value):
    assert bound_rate(value, 0) == (0, 1)


def evaluate_with_intervals(truth, probability, groups=None, threshold=0.5, max_fpr=0.1):
    truth = np.array(truth)
    groups = np.arange(len(truth)) if groups is None else np.array(groups)
    return evaluate(truth, np.array(probability), groups, threshold, max_fpr, 100, 0)


def test_no_error_among_single_rows_gives_clopper_and_pearsons_interval():
    truth = [True] * 20 + [False] * 100
    values, intervals = evaluate_with_intervals(truth, [0.9] * 20 + [0.1] * 100)
    of_20, of_100, of_120 = (0.025 ** (1 / n) for n in (20, 100, 120))
    expected = {
        "accuracy": [of_120, 1],
        "precision": [of_20, 1],
        "recall": [of_20, 1],
        "recall_at_max_fpr": [of_20, 1],
        "fpr": [0, 1 - of_100],
    }
    found = {name: list(intervals[name].values()) for name in expected}
    assert found == {name: pytest.approx(ends, abs=1e-6) for name, ends in expected.items()}
    assert (values["fpr"], values["recall"]) == (0, 1)


def test_no_error_at_all_gives_scores_at_the_bounds_of_recall_and_false_positive_rate():
    truth = np.array([True] * 20 + [False] * 100)
    _, intervals = evaluate_with_intervals(truth, truth * 0.8 + 0.1)
    recall, fpr = intervals["recall"]["low"], intervals["fpr"]["high"]
    tp, fp = 20 * recall, 100 * fpr
    tn, fn = 100 - fp, 20 - tp
    spread = math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    lows = {
        "f1": 2 * tp / (2 * tp + fp + fn),
        "mcc": (tp * tn - fp * fn) / spread,
        "roc_auc": recall * (1 - fpr),
        "average_precision": recall - fp / 20 * math.log(1 + recall * 20 / fp),
    }
    for name, low in lows.items():
        assert intervals[name] == {"low": pytest.approx(low, abs=1e-5), "high": 1}, name


def test_a_brier_score_of_0_has_the_interval_of_an_error_rate_of_0():
    truth = np.array([True, True, False, False])
    values, intervals = evaluate_with_intervals(truth, truth.astype(float))
    assert values["brier_score"] == 0
    assert intervals["brier_score"] == {"low": 0, "high": pytest.approx(1 - 0.025**0.25, abs=1e-6)}


def test_precision_can_be_anything_if_nothing_is_predicted_positive():
    values, intervals = evaluate_with_intervals([True] * 5 + [False] * 5, [0.2] * 5 + [0.1] * 5)
    assert values["precision"] == 0
    assert intervals["precision"] == {"low": 0, "high": 1}
    caught = 1 - 0.025 ** (1 / 5)
    assert intervals["recall"] == {"low": 0, "high": pytest.approx(caught, abs=1e-6)}
    f1 = 2 * caught / (caught + 1)
    assert intervals["f1"] == {"low": 0, "high": pytest.approx(f1, abs=1e-6)}
    assert -1 < intervals["mcc"]["low"] < 0 < intervals["mcc"]["high"] < 1


def test_f1_is_bounded_if_nothing_is_caught_and_some_is_blocked():
    truth, probability = [True] * 5 + [False] * 5, [0.1] * 5 + [0.9] + [0.2] * 4
    _, intervals = evaluate_with_intervals(truth, probability)
    caught = 1 - 0.025 ** (1 / 5)
    f1 = 2 * caught / (caught + 1)
    assert intervals["f1"] == {"low": 0, "high": pytest.approx(f1, abs=1e-6)}


def test_scores_in_the_wrong_order_have_an_interval_too():
    truth = [True] * 20 + [False] * 100
    _, intervals = evaluate_with_intervals(truth, [0.1] * 20 + [0.9] * 100)
    right = 0.025 ** (1 / 20) * 0.025 ** (1 / 100)
    assert intervals["roc_auc"] == {"low": 0, "high": pytest.approx(1 - right, abs=1e-6)}


def test_a_metric_with_an_error_has_the_bootstrap_interval():
    truth = [True] * 20 + [False] * 100
    _, intervals = evaluate_with_intervals(truth, [0.9] * 20 + [0.6] * 5 + [0.1] * 95)
    assert 0 < intervals["fpr"]["low"] < 0.05 < intervals["fpr"]["high"] < 0.12


def test_the_interval_of_recall_at_max_fpr_includes_that_of_the_samples():
    """With 1 of 10 negatives above all positives, some samples allow none of them."""
    truth = [True] * 100 + [False] * 10
    values, intervals = evaluate_with_intervals(truth, [0.8] * 100 + [0.9] + [0.1] * 9)
    assert values["recall_at_max_fpr"] == 1
    assert intervals["recall_at_max_fpr"] == {"low": 0, "high": 1}


SEPARATED = st.lists(st.tuples(st.booleans(), st.integers(0, 8)), min_size=2, max_size=30)


@settings(deadline=None)
@given(SEPARATED, st.sampled_from([0.05, 0.5, 0.95]), st.booleans())
def test_intervals_without_an_error_contain_the_value(rows, threshold, is_upside_down):
    truth, groups = (np.array(column) for column in zip(*rows, strict=True))
    assume(truth.any() and not truth.all())
    probability = np.where(truth != is_upside_down, 0.9, 0.1)
    values, intervals = evaluate(truth, probability, groups, threshold, 0, 100, 0)
    for name, interval in intervals.items():
        least = -1 if name == "mcc" else 0
        assert least <= interval["low"] <= interval["high"] <= 1, name
        if values[name] in (0, 1, -1):
            assert interval["low"] <= values[name] <= interval["high"], name
            assert interval["low"] < interval["high"], name


@settings(deadline=None)
@given(st.integers(1, 500), st.integers(1, 500))
def test_more_groups_give_a_narrower_interval(n_groups, more):
    (few, _), (many, _) = bound_rate(1, n_groups), bound_rate(1, n_groups + more)
    assert few < many < 1


def test_rows_of_one_group_count_once_if_there_is_no_error():
    truth, probability = [True] * 6 + [False] * 6, [0.9] * 6 + [0.1] * 6
    _, single = evaluate_with_intervals(truth, probability)
    _, grouped = evaluate_with_intervals(truth, probability, [0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 4, 4])
    assert grouped["recall"]["low"] == pytest.approx(0.025 ** (1 / 2), abs=1e-6)
    assert grouped["fpr"]["high"] == pytest.approx(1 - 0.025 ** (1 / 3), abs=1e-6)
    assert grouped["precision"]["low"] == pytest.approx(0.025 ** (1 / 2), abs=1e-6)
    assert grouped["accuracy"]["low"] == pytest.approx(0.025 ** (1 / 5), abs=1e-6)
    for name, interval in single.items():
        if name != "brier_score":
            wider = grouped[name]["high"] - grouped[name]["low"]
            assert wider > interval["high"] - interval["low"], name


@settings(deadline=None)
@given(ROWS, TENTHS)
def test_areas_are_never_below_those_of_the_lowest_curve_through_a_point(rows, threshold):
    truth, probability, weights = make_arrays(rows)
    values = measure(truth, probability, weights, threshold)
    assume(values["fpr"] > 0)
    negatives_per_positive = weights[~truth].sum() / weights[truth].sum()
    lowest = find_lowest_areas(values["recall"], values["fpr"], negatives_per_positive)
    for name, low in lowest.items():
        assert 0 <= low <= values[name] + 1e-12, name


def test_intervals_are_wider_where_rows_depend_on_one_another():
    truth, probability = (np.repeat(column, 5) for column in make_noisy_scores())
    widths = []
    for groups in (np.arange(300), np.repeat(np.arange(60), 5)):
        _, intervals = evaluate(truth, probability, groups, 0.5, 0.1, 500, 0)
        widths.append(intervals["accuracy"]["high"] - intervals["accuracy"]["low"])
    assert widths[1] > 1.5 * widths[0]


def test_gives_floats_of_six_digits():
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
