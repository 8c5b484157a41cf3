"""Tests of the estimators that params.yaml can name."""

import re

import pytest
from sklearn.linear_model import LogisticRegression

from models.estimators import ESTIMATORS, ModelParams, build_estimator

SEARCH = {"grid": {}, "n_iter": None, "cv": 3, "scoring": "f1", "n_jobs": 1}

AUGMENTATION = {"enabled": False, "min_words": 1, "max_words": 2, "most_typical": 3}


def build(estimator="logistic_regression", params=None, class_weight=None, grid=None):
    return build_estimator(
        ModelParams(
            estimator=estimator,
            params=params or {},
            class_weight=class_weight,
            random_state=7,
            augmentation=AUGMENTATION,
            search={**SEARCH, "grid": grid or {}},
        )
    )


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_name_gives_its_estimator(name):
    found = build(name, class_weight="balanced")
    assert found.__class__.__name__ == ESTIMATORS[name][0].rpartition(".")[2]
    for key, value in {"class_weight": "balanced", "random_state": 7}.items():
        assert found.get_params().get(key, value) == value


def test_parameters_override_our_defaults_and_these_override_scikit_learns():
    found = build(params={"max_iter": 5})
    assert isinstance(found, LogisticRegression)
    assert (found.max_iter, found.solver, found.tol) == (5, "liblinear", LogisticRegression().tol)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"estimator": "magic"}, "no estimator 'magic': choose one of logistic_regression"),
        ({"estimator": "complement_nb", "params": {"C": 1}}, "ComplementNB has no parameter 'C'"),
        ({"params": {"wat": 1}}, "model_building.params.wat: LogisticRegression has no parameter"),
        ({"grid": {"wat": [1]}}, "model_building.search.grid.wat: "),
    ],
)
def test_refuses_unknown_estimators_and_parameters(changes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        build(**changes)
