"""The estimators that params.yaml can name, with our defaults."""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, NonNegativeInt, PositiveFloat, PositiveInt
from sklearn.base import BaseEstimator

from core.errors import UserError
from core.params import Params
from models.adapted import DenseClassifier, DenseRegressor
from models.augmentation import AugmentationParams
from models.resampling import Resampling
from models.target_transforms import TargetTransform, transform_target
from records.schema import Schema
from records.tasks import TASKS, Task


@dataclass(frozen=True)
class Choice:
    """What a short name stands for.

    Attributes
    ----------
    classifier, regressor : str
        The class for each kind of task, '' if there is none: of scikit-learn, of another package,
        or our own.
    defaults : dict
        Parameters whose default differs here.
    of_classes : dict
        More such parameters, of the classifier.
    of_two : dict
        More such parameters, of the classifier if there are two labels.
    is_dense : bool
        Whether it takes no sparse features, or no text as labels.
    """

    classifier: str = ""
    regressor: str = ""
    defaults: dict[str, Any] = field(default_factory=dict)
    of_classes: dict[str, Any] = field(default_factory=dict)
    of_two: dict[str, Any] = field(default_factory=dict)
    is_dense: bool = False

    def name_class(self, task: Task) -> str:
        """Return the class for a task, '' if there is none."""
        return self.classifier if task.has_classes else self.regressor


# liblinear's solvers give the same bits on every processor; lbfgs, the default, does not, but
# liblinear takes only two labels.
# xgboost and lightgbm would start a thread for each processor, and the number of threads changes
# the last digits.
ESTIMATORS: dict[str, Choice] = {
    "logistic_regression": Choice(
        "sklearn.linear_model.LogisticRegression",
        defaults={"max_iter": 1000},
        of_two={"solver": "liblinear", "dual": True},
    ),
    "ensemble": Choice(
        "models.ensemble.BranchEnsemble",
        defaults={"members": [["words"], ["characters"], ["words", "characters", "statistics"]]},
    ),
    "linear_svc": Choice("sklearn.svm.LinearSVC", defaults={"max_iter": 10_000}),
    "sgd": Choice(
        "sklearn.linear_model.SGDClassifier",
        "sklearn.linear_model.SGDRegressor",
        of_classes={"loss": "modified_huber"},
    ),
    "complement_nb": Choice("sklearn.naive_bayes.ComplementNB"),
    "multinomial_nb": Choice("sklearn.naive_bayes.MultinomialNB"),
    "linear_regression": Choice(regressor="sklearn.linear_model.LinearRegression"),
    "ridge": Choice("sklearn.linear_model.RidgeClassifier", "sklearn.linear_model.Ridge"),
    "lasso": Choice(regressor="sklearn.linear_model.Lasso", defaults={"max_iter": 10_000}),
    "elastic_net": Choice(
        regressor="sklearn.linear_model.ElasticNet", defaults={"max_iter": 10_000}
    ),
    "random_forest": Choice(
        "sklearn.ensemble.RandomForestClassifier", "sklearn.ensemble.RandomForestRegressor"
    ),
    "extra_trees": Choice(
        "sklearn.ensemble.ExtraTreesClassifier", "sklearn.ensemble.ExtraTreesRegressor"
    ),
    "ada_boost": Choice(
        "sklearn.ensemble.AdaBoostClassifier", "sklearn.ensemble.AdaBoostRegressor"
    ),
    "gradient_boosting": Choice(
        "sklearn.ensemble.GradientBoostingClassifier",
        "sklearn.ensemble.GradientBoostingRegressor",
    ),
    "hist_gradient_boosting": Choice(
        "sklearn.ensemble.HistGradientBoostingClassifier",
        "sklearn.ensemble.HistGradientBoostingRegressor",
        is_dense=True,
    ),
    "xgboost": Choice(
        "xgboost.XGBClassifier", "xgboost.XGBRegressor", defaults={"n_jobs": 1}, is_dense=True
    ),
    "lightgbm": Choice(
        "lightgbm.LGBMClassifier",
        "lightgbm.LGBMRegressor",
        defaults={"n_jobs": 1, "deterministic": True, "force_row_wise": True, "verbose": -1},
    ),
    "knn": Choice(
        "sklearn.neighbors.KNeighborsClassifier",
        "sklearn.neighbors.KNeighborsRegressor",
        # The others store a tree of a type that skops does not trust.
        defaults={"algorithm": "brute"},
        is_dense=True,
    ),
    "dummy": Choice(
        "sklearn.dummy.DummyClassifier",
        "sklearn.dummy.DummyRegressor",
        of_classes={"strategy": "prior"},
    ),
}


class SearchParams(Params):
    """The keys under ``model_building.search`` of params.yaml."""

    grid: dict[str, list[Any]]
    n_iter: PositiveInt | None
    cv: int = Field(ge=2)
    scoring: str
    n_jobs: int


class Candidate(Params):
    """An estimator to try, with its parameters."""

    estimator: str
    params: dict[str, Any] = Field(default_factory=dict)


def name_candidate(value: object) -> object:
    """Return a candidate that is only a name as one without parameters."""
    return {"estimator": value} if isinstance(value, str) else value


class ModelParams(Candidate):
    """The section ``model_building`` of params.yaml."""

    params: dict[str, Any]
    candidates: list[Annotated[Candidate, BeforeValidator(name_candidate)]]
    target_transform: TargetTransform
    resampling: Resampling
    class_weight: Literal["balanced"] | dict[str, PositiveFloat] | None
    random_state: NonNegativeInt
    augmentation: AugmentationParams
    search: SearchParams


def find_class(name: str, task: Task) -> type[BaseEstimator]:
    """Return the class of an estimator for a task.

    Raises
    ------
    UserError
        If there is none, or its package is not installed.
    """
    names = [name for name, choice in ESTIMATORS.items() if choice.name_class(task)]
    if name not in names:
        raise UserError(
            f"model_building.estimator: task {task.name} has no estimator {name!r}",
            f"choose one of {', '.join(names)}",
        )
    module, _, class_name = ESTIMATORS[name].name_class(task).rpartition(".")
    try:
        return getattr(importlib.import_module(module), class_name)
    except ModuleNotFoundError as error:
        raise UserError(
            f"model_building.estimator: {name} needs the package {module.partition('.')[0]}, "
            "which is not installed",
            "run 'pip install -r requirements-boosting.txt'",
        ) from error


def build_estimator(
    params: ModelParams,
    schema: Schema,
    branches: Mapping[str, Sequence[int]] | None = None,
    tried: Candidate | None = None,
) -> BaseEstimator:
    """Return an unfitted estimator.

    Parameters
    ----------
    params : ModelParams
        What all candidates share.
    schema : Schema
        Its task decides between classifier and regressor.
    branches : mapping of str to (int, int), optional
        First column of each branch of features, and the one after its last.
    tried : Candidate, optional
        Without it, the estimator of ``params``.

    Raises
    ------
    UserError
        If there is no such estimator, or it does not have one of the parameters.
    """
    tried, task = tried or params, TASKS[schema.task]
    estimator_class, choice = find_class(tried.estimator, task), ESTIMATORS[tried.estimator]
    accepted = estimator_class().get_params()
    for key in tried.params:
        if key not in accepted:
            raise UserError(
                f"model_building: {estimator_class.__name__} has no parameter {key!r}",
                f"choose one of {', '.join(accepted)}",
            )
    shared = {
        "class_weight": params.class_weight if task.has_classes else None,
        "random_state": params.random_state,
        "branches": branches,
    }
    if choice.is_dense:
        # It is fitted on numbers of labels: it gets the weights of rows instead.
        del shared["class_weight"]
    shared = {key: value for key, value in shared.items() if key in accepted}
    defaults = {
        **choice.defaults,
        **(choice.of_classes if task.has_classes else {}),
        **(choice.of_two if schema.positive is not None else {}),
    }
    if "dual" in defaults:
        # The dual problem has a variable for each row, the primal one for each feature.
        defaults["dual"] = bool(schema.text)
    estimator = estimator_class(**{**defaults, **shared, **tried.params})
    if choice.is_dense:
        estimator = (DenseClassifier if task.has_classes else DenseRegressor)(estimator)
    return transform_target(estimator, params.target_transform, task)
