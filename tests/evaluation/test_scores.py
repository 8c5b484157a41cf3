"""Tests of scoring a set of rows."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression

from core.params import read_params
from evaluation.binary import EVALUATION, compute_metrics
from evaluation.scores import EvaluationParams, score
from tests.support.word_counts import TEST, TRAIN, make_model

PARAMS = EvaluationParams(
    threshold=0.5,
    max_fpr=0.1,
    bootstrap_samples=100,
    random_state=0,
    slices=[],
    interval_coverage=0.9,
)


@pytest.fixture(scope="module")
def model():
    return make_model(LogisticRegression(), TRAIN)[0]


@pytest.fixture(scope="module")
def features(model):
    return sp.csr_matrix(model[0].transform(TEST), dtype=np.float32)


def test_scores_the_positive_label(model, features):
    scored = score(EVALUATION, model, TEST, features, "label")
    assert scored.labels == ["ham", "spam"]
    assert scored.actual.tolist() == [False] * 7 + [True] * 3
    expected = model[-1].predict_proba(features)[:, 1]
    assert scored.predicted == pytest.approx(expected, abs=1e-9)


def test_refuses_features_of_another_model(model):
    with pytest.raises(ValueError, match="the matrix has 3 features, the model"):
        score(EVALUATION, model, TEST, sp.csr_matrix((len(TEST), 3), dtype=np.float32), "label")


def test_refuses_labels_of_another_model(model, features):
    table = TEST.assign(label=TEST["label"].cat.rename_categories(["no", "yes"]))
    with pytest.raises(ValueError, match=r"the table's labels are \['no', 'yes'\], the model's"):
        score(EVALUATION, model, table, features, "label")


def test_names_two_metrics_after_the_labels(model, features):
    scored = score(EVALUATION, model, TEST, features, "label")
    df = TEST.assign(is_positive=scored.actual, probability=scored.predicted)
    values, intervals = compute_metrics(df, scored.labels, PARAMS)
    assert values["spam_caught"] == values["recall"] == 1
    assert values["ham_blocked"] == round(1 / 7, 6)
    assert "fpr" not in values
    assert intervals.keys() == values.keys()


@pytest.mark.parametrize("key", ["threshold", "max_fpr"])
def test_refuses_a_share_above_one(params_file, key):
    path = params_file({f"model_evaluation.{key}": 1.5})
    with pytest.raises(ValueError, match=rf"model_evaluation\.{key}: input should be less than 1"):
        read_params(path, "model_evaluation", EvaluationParams)
