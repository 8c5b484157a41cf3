"""The estimators that params.yaml can name, with our defaults."""

import importlib
import inspect
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field, NonNegativeInt, PositiveInt
from sklearn.base import ClassifierMixin

from core.errors import UserError
from core.params import Params
from models.augmentation import AugmentationParams
from models.scorers import Score

# Short name: the class, scikit-learn's or our own, and parameters whose default differs here.
# liblinear's dual solver gives the same bits on every processor; lbfgs, the default, does not.
ESTIMATORS: dict[str, tuple[str, dict[str, Any]]] = {
    "logistic_regression": (
        "sklearn.linear_model.LogisticRegression",
        {"solver": "liblinear", "dual": True, "max_iter": 1000},
    ),
    "ensemble": (
        "models.ensemble.BranchEnsemble",
        {"members": [["words"], ["characters"], ["words", "characters", "statistics"]]},
    ),
    "linear_svc": ("sklearn.svm.LinearSVC", {"max_iter": 10_000}),
    "sgd": ("sklearn.linear_model.SGDClassifier", {"loss": "modified_huber"}),
    "complement_nb": ("sklearn.naive_bayes.ComplementNB", {}),
    "multinomial_nb": ("sklearn.naive_bayes.MultinomialNB", {}),
    "random_forest": ("sklearn.ensemble.RandomForestClassifier", {}),
    "extra_trees": ("sklearn.ensemble.ExtraTreesClassifier", {}),
    "ada_boost": ("sklearn.ensemble.AdaBoostClassifier", {}),
    "gradient_boosting": ("sklearn.ensemble.GradientBoostingClassifier", {}),
}


class SearchParams(Params):
    """The keys under ``model_building.search`` of params.yaml."""

    grid: dict[str, list[Any]]
    n_iter: PositiveInt | None
    cv: int = Field(ge=2)
    scoring: Score
    n_jobs: int


class ModelParams(Params):
    """The section ``model_building`` of params.yaml."""

    estimator: str
    params: dict[str, Any]
    class_weight: Literal["balanced"] | dict[str, float] | None
    random_state: NonNegativeInt
    augmentation: AugmentationParams
    search: SearchParams


def build_estimator(
    params: ModelParams, branches: Mapping[str, Sequence[int]] | None = None
) -> ClassifierMixin:
    """Return the unfitted classifier that the parameters describe.

    Raises
    ------
    UserError
        If the estimator is unknown, or does not have one of the parameters.
    """
    if params.estimator not in ESTIMATORS:
        raise UserError(
            f"model_building.estimator: no estimator {params.estimator!r}",
            f"choose one of {', '.join(ESTIMATORS)}",
        )
    location, defaults = ESTIMATORS[params.estimator]
    module, _, name = location.rpartition(".")
    estimator_class = getattr(importlib.import_module(module), name)
    accepted = inspect.signature(estimator_class).parameters
    for section, keys in (("params", params.params), ("search.grid", params.search.grid)):
        for key in keys:
            if key not in accepted:
                raise UserError(
                    f"model_building.{section}.{key}: {name} has no parameter {key!r}",
                    f"choose one of {', '.join(accepted)}",
                )
    shared = {
        "class_weight": params.class_weight,
        "random_state": params.random_state,
        "branches": branches,
    }
    shared = {key: value for key, value in shared.items() if key in accepted}
    return estimator_class(**{**defaults, **shared, **params.params})
