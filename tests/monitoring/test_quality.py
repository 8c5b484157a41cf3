"""Tests of what is said about a model on new data."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.params import read_params
from evaluation.scores import EvaluationParams
from evaluation.tasks import EVALUATIONS
from monitoring.quality import as_matrix, expect, find_shares, measure_labelled
from tests.support.small_model import ROOT

PARAMS = read_params(ROOT / "params.yaml", "model_evaluation", EvaluationParams).model_copy(
    update={"threshold": 0.5, "bootstrap_samples": 100}
)
LABELS = ["low", "middle", "high"]


def draw_calibrated(n_rows, share=0.3, seed=0):
    """Return exact probabilities of one of two overlapping labels, and which rows have it."""
    rng = np.random.default_rng(seed)
    is_positive = rng.random(n_rows) < share
    x = rng.normal(np.where(is_positive, 1, -1), 1)
    # The exact probability where 30% are positive, whatever the share here.
    return 1 / (1 + np.exp(-2 * x) * 0.7 / 0.3), is_positive


def test_calibrated_probabilities_let_expect_the_metrics():
    probability, is_positive = draw_calibrated(20_000)
    task, labels = EVALUATIONS["binary"], ["no", "yes"]
    expected = expect(task, labels, probability, np.array([0.7, 0.3]), PARAMS)
    target = pd.Series(pd.Categorical(np.where(is_positive, "yes", "no"), labels))
    measured, _ = measure_labelled(task, labels, target, probability, PARAMS)
    for name, value in expected.metrics.items():
        assert value == pytest.approx(measured.metrics[name], abs=0.01), name
    assert set(expected.metrics) == set(task.shown)


def test_other_shares_of_the_labels_are_found():
    probability, is_positive = draw_calibrated(20_000, share=0.7)
    before = np.array([0.7, 0.3])
    shares, corrected = find_shares(as_matrix(probability), before)
    assert shares[1] == pytest.approx(0.7, abs=0.02)
    assert corrected[:, 1].mean() == pytest.approx(shares[1])
    expected = expect(EVALUATIONS["binary"], ["no", "yes"], probability, before, PARAMS)
    right = ((probability >= 0.5) == is_positive).mean()
    assert expected.metrics["accuracy"] == pytest.approx(right, abs=0.01)
    assert expected.shares["yes"] == pytest.approx(0.7, abs=0.02)


def test_several_labels():
    rng = np.random.default_rng(0)
    codes = rng.choice(3, 20_000, p=[0.5, 0.3, 0.2])
    x = rng.normal(codes * 2, 1)
    density = np.exp(-((x[:, None] - 2 * np.arange(3)) ** 2) / 2) * [1 / 3, 1 / 3, 1 / 3]
    probability = density / density.sum(axis=1, keepdims=True)
    task, before = EVALUATIONS["multiclass"], np.array([1 / 3, 1 / 3, 1 / 3])
    expected = expect(task, LABELS, probability, before, PARAMS)
    assert list(expected.shares.values()) == pytest.approx([0.5, 0.3, 0.2], abs=0.02)
    right = (probability.argmax(axis=1) == codes).mean()
    assert expected.metrics["accuracy"] == pytest.approx(right, abs=0.01)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.floats(0, 1))
@settings(deadline=None)
def test_shares_are_shares(probabilities, before):
    matrix = as_matrix(np.array(probabilities))
    shares, corrected = find_shares(matrix, np.array([1 - before, before]))
    assert np.isfinite(corrected).all()
    assert shares.sum() == pytest.approx(1)
    assert corrected.sum(axis=1) == pytest.approx(np.ones(len(matrix)))


def test_rows_without_labels_are_not_measured():
    target = pd.Series(pd.Categorical(["no", "yes", None, "no"], ["no", "yes"]))
    predicted = np.array([0.1, 0.9, 0.99, 0.2])
    measured, reason = measure_labelled(
        EVALUATIONS["binary"], ["no", "yes"], target, predicted, PARAMS
    )
    assert reason == ""
    assert measured.metrics["accuracy"] == 1


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ([None, None], "no row has a label"),
        (["no", "no"], "all rows have one label, so nothing can be evaluated"),
    ],
)
def test_says_why_nothing_is_measured(labels, reason):
    target = pd.Series(pd.Categorical(labels, ["no", "yes"]))
    found = measure_labelled(
        EVALUATIONS["binary"], ["no", "yes"], target, np.array([0.1, 0.9]), PARAMS
    )
    assert found == (None, reason)


def test_numbers_are_measured():
    target = pd.Series([1.0, 2.0, np.nan, 4.0])
    measured, _ = measure_labelled(
        EVALUATIONS["regression"], [], target, np.array([1.5, 2.5, 3, 4.5]), PARAMS
    )
    assert measured.metrics["mae"] == 0.5
