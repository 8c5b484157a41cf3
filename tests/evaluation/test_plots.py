"""Tests of the data of plots, and of the figures of the report."""

import json

import numpy as np
import pytest
import scipy.sparse as sp
from dvclive import Live
from sklearn.linear_model import LogisticRegression

from evaluation.plots import draw_figures, draw_weights, log_plots
from models.probability import predict_positive
from tests.support.word_counts import TEST, TRAIN, make_model

LABELS = ["ham", "spam"]
TRUTH = (TEST["label"] == "spam").to_numpy()


@pytest.fixture(scope="module")
def model():
    return make_model(LogisticRegression(), TRAIN)[0]


@pytest.fixture(scope="module")
def features(model):
    return sp.csr_matrix(model[0].transform(TEST), dtype=np.float32)


@pytest.fixture(scope="module")
def probability(model):
    return predict_positive(model, "spam", TEST[["text"]])


def test_writes_data_for_dvc_plots(probability, tmp_path):
    with Live(str(tmp_path), dvcyaml=None, save_dvc_exp=False, report=None) as live:
        log_plots(live, TRUTH, probability, LABELS, 0.5)
    plots = tmp_path / "plots"
    matrix = json.loads((plots / "sklearn" / "confusion_matrix.json").read_text())
    assert matrix.count({"actual": "ham", "predicted": "spam"}) == 1
    threshold = json.loads((plots / "custom" / "threshold.json").read_text())
    assert threshold[0] == {"threshold": 0.0, "caught": 1.0, "blocked": 1.0}
    assert threshold[-1] == {"threshold": 1.0, "caught": 0.0, "blocked": 0.0}
    for name in ("roc", "precision_recall", "calibration"):
        assert json.loads((plots / "sklearn" / f"{name}.json").read_text())[name]


def test_draws_every_figure_of_the_report(model, features, probability):
    figures = draw_figures(TRUTH, probability, LABELS, 0.5, "messages")
    figures |= draw_weights(model, features, TRUTH, LABELS)
    assert set(figures) == {
        "confusion_matrix",
        "score_distribution",
        "roc",
        "precision_recall",
        "calibration",
        "threshold",
        "influential_features",
    }
    assert all(figure.axes for figure in figures.values())
