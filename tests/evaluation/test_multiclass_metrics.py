"""Tests of metrics of several labels, compared with scikit-learn's."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from evaluation.multiclass_metrics import weighted_multiclass_metrics

TENTHS = st.integers(1, 10).map(lambda n: n / 10)
ROWS = st.lists(
    st.tuples(st.integers(0, 2), TENTHS, TENTHS, TENTHS, st.integers(0, 3)), min_size=3, max_size=20
)


@settings(deadline=None)
@given(ROWS)
def test_agrees_with_scikit_learn(rows):
    table = np.array(rows, float)
    actual, weights = table[:, 0].astype(int), table[:, 4]
    assume(all(weights[actual == k].sum() > 0 for k in range(3)))
    probability = table[:, 1:4] / table[:, 1:4].sum(axis=1, keepdims=True)
    found = weighted_multiclass_metrics(actual, probability, weights[None])
    predicted, options = probability.argmax(axis=1), {"sample_weight": weights}
    areas = [sk.roc_auc_score(actual == k, probability[:, k], **options) for k in range(3)]
    expected = {
        "accuracy": sk.accuracy_score(actual, predicted, **options),
        "balanced_accuracy": sk.balanced_accuracy_score(actual, predicted, **options),
        "macro_f1": sk.f1_score(actual, predicted, average="macro", **options),
        "mcc": sk.matthews_corrcoef(actual, predicted, **options),
        "log_loss": sk.log_loss(actual, probability, **options),
        "roc_auc_ovr": np.mean(areas),
    }
    assert {name: found[name][0] for name in expected} == pytest.approx(expected, abs=1e-9)


def test_the_calibration_error_is_the_mean_distance_of_bins():
    actual = np.array([0, 0, 0, 1])
    probability = np.array([[0.75, 0.25], [0.75, 0.25], [0.75, 0.25], [0.95, 0.05]])
    found = weighted_multiclass_metrics(actual, probability, np.ones((1, 4)))
    # Three rows at 75% are all right, one at 95% is wrong.
    assert found["calibration_error"][0] == pytest.approx((3 * 0.25 + 0.95) / 4)


def test_a_label_without_rows_does_not_count():
    actual, probability = np.array([0, 1]), np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1]])
    found = weighted_multiclass_metrics(actual, probability, np.ones((1, 2)))
    assert found["macro_f1"][0] == found["balanced_accuracy"][0] == found["roc_auc_ovr"][0] == 1


def test_each_weighting_gives_the_same_result_alone():
    actual = np.array([0, 1, 2, 0, 1, 2])
    probability = np.random.default_rng(0).dirichlet([1, 1, 1], 6)
    weights = np.array([[1, 1, 1, 1, 1, 1], [2, 1, 1, 0, 1, 3]])
    together = weighted_multiclass_metrics(actual, probability, weights)
    for k, row in enumerate(weights):
        alone = weighted_multiclass_metrics(actual, probability, row[None])
        for name, value in together.items():
            assert value[k] == pytest.approx(alone[name][0]), name
