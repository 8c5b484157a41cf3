"""Tests of the estimators that params.yaml can name."""

import re

import pytest
from sklearn.linear_model import LogisticRegression

from models.estimators import ESTIMATORS, ModelParams, build_estimator
from records.tasks import TASKS
from tests.support.schemas import MESSAGES
from tests.support.small_estimators import CASES, INSTALLED, make_model_params, make_task_schema


def build(estimator="logistic_regression", schema=MESSAGES, **changes):
    return build_estimator(make_model_params(estimator, schema.task, **changes), schema)


@pytest.mark.parametrize(("task", "name"), INSTALLED)
def test_every_name_gives_its_estimator(task, name):
    found = build(name, make_task_schema(task), random_state=7, target_transform="none")
    found = getattr(found, "estimator", None) if ESTIMATORS[name].is_dense else found
    expected = ESTIMATORS[name].name_class(TASKS[task]).rpartition(".")[2]
    assert type(found).__name__ == expected
    assert found.get_params().get("random_state", 7) == 7
    if TASKS[task].has_classes and not ESTIMATORS[name].is_dense:
        assert found.get_params().get("class_weight", "balanced") == "balanced"


def test_every_name_is_of_a_task():
    assert {name for _, name in CASES} == set(ESTIMATORS)


def test_parameters_override_our_defaults_and_these_override_scikit_learns():
    found = build(params={"max_iter": 5})
    assert isinstance(found, LogisticRegression)
    assert (found.max_iter, found.solver, found.tol) == (5, "liblinear", LogisticRegression().tol)


def test_logistic_regression_solves_the_smaller_problem_and_any_number_of_labels():
    assert build().dual
    assert not build(schema=make_task_schema("binary")).dual
    assert build(schema=make_task_schema("multiclass")).solver == "lbfgs"


@pytest.mark.parametrize("weight", [0, -1])
def test_refuses_weights_that_are_not_positive(weight):
    with pytest.raises(ValueError, match="greater than 0"):
        make_model_params("ridge", "binary", class_weight={"spam": weight})


def test_a_candidate_is_a_name_or_has_parameters():
    params = make_model_params(
        "ridge", "binary", candidates=["sgd", {"estimator": "ridge", "params": {"alpha": 2}}]
    )
    first, second = (build_estimator(params, MESSAGES, tried=each) for each in params.candidates)
    assert type(first).__name__ == "SGDClassifier"
    assert second.alpha == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"estimator": "magic"}, "has no estimator 'magic': choose one of logistic_regression"),
        ({"estimator": "complement_nb", "params": {"C": 1}}, "ComplementNB has no parameter 'C'"),
        ({"params": {"wat": 1}}, "model_building: LogisticRegression has no parameter 'wat': choo"),
        (
            {"schema": make_task_schema("regression")},
            "task regression has no estimator 'logistic_regression': choose one of sgd, linear_",
        ),
    ],
)
def test_refuses_unknown_estimators_and_parameters(changes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        build(**changes)


def test_every_value_is_in_the_parameters():
    section = make_model_params("ridge", "binary").model_dump()
    del section["resampling"]
    with pytest.raises(ValueError, match="resampling"):
        ModelParams.model_validate(section)
