"""Tests of the probability of the positive label."""

import numpy as np
import pytest

from models.probability import DECIMALS, predict_positive
from models.scoring import score_texts
from tests.support.small_model import SPAM, fit_model


@pytest.fixture(scope="module")
def model():
    return fit_model()


@pytest.mark.parametrize("positive", ["ham", "spam"])
def test_rounds_the_probability_of_the_label(model, positive):
    column = ["ham", "spam"].index(positive)
    expected = model.predict_proba(SPAM)[:, column].astype(float).round(DECIMALS)
    assert predict_positive(model, positive, SPAM).tolist() == expected.tolist()


def test_messages_are_scored_as_the_evaluation_scores_their_features(model):
    X = model[:-1].transform(SPAM)
    assert np.array_equal(predict_positive(model[-1], "spam", X), score_texts(model, "spam", SPAM))
