"""Tune, fit and calibrate the classifier: features -> model, cross-validation results.

By hand: python src/model_building.py --params params.yaml --train data/interim/train.parquet \
    --features data/processed/train.npz --transformer models/features.skops \
    --model models/model.skops --cv-results reports/cv_results.csv
"""

import common.startup  # noqa: F401  (first: see there)

import argparse
import heapq
import importlib
import inspect
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import scipy.sparse as sp
from pydantic import Field, NonNegativeInt, PositiveInt
from sklearn.base import ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.metrics import get_scorer, make_scorer
from sklearn.model_selection import GridSearchCV, PredefinedSplit, RandomizedSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils.class_weight import compute_sample_weight

from common.log import run_stage, timed
from common.matrices import load_matrix
from common.models import load_model, save_model
from common.params import Params, read_params
from common.tables import read_table, write_csv

# Short name: where scikit-learn has the class, and where our defaults differ from its own.
# liblinear's dual solver gives the same bits on every processor; lbfgs, the default, does not.
ESTIMATORS: dict[str, tuple[str, dict[str, Any]]] = {
    "logistic_regression": (
        "sklearn.linear_model.LogisticRegression",
        {"solver": "liblinear", "dual": True, "max_iter": 1000},
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
# Scores that need to know which label is the positive one.
LABEL_SCORES = ("precision", "recall", "f1", "average_precision")
Score = Literal[
    "accuracy", "average_precision", "f1", "matthews_corrcoef", "precision", "recall", "roc_auc"
]

logger = logging.getLogger(__name__)


class SearchParams(Params):
    """What ``params.yaml`` says of cross-validation and search."""

    grid: dict[str, list[Any]]
    n_iter: PositiveInt | None
    cv: int = Field(ge=2)
    scoring: Score
    n_jobs: int


class ModelParams(Params):
    """What ``params.yaml`` says of the classifier."""

    estimator: str
    params: dict[str, Any]
    class_weight: Literal["balanced"] | dict[str, float] | None
    random_state: NonNegativeInt
    search: SearchParams


def build_estimator(params: ModelParams) -> ClassifierMixin:
    """Return the unfitted classifier that the parameters describe.

    Raises
    ------
    ValueError
        If there is no such estimator, or it does not have such a parameter.
    """
    if params.estimator not in ESTIMATORS:
        raise ValueError(
            f"model_building.estimator: no estimator {params.estimator!r}, "
            f"choose one of {', '.join(ESTIMATORS)}"
        )
    location, defaults = ESTIMATORS[params.estimator]
    module, _, name = location.rpartition(".")
    estimator_class = getattr(importlib.import_module(module), name)
    accepted = inspect.signature(estimator_class).parameters
    for section, keys in (("params", params.params), ("search.grid", params.search.grid)):
        for key in keys:
            if key not in accepted:
                raise ValueError(
                    f"model_building.{section}.{key}: {name} has no parameter {key!r}, "
                    f"it has {', '.join(accepted)}"
                )
    shared = {"class_weight": params.class_weight, "random_state": params.random_state}
    shared = {key: value for key, value in shared.items() if key in accepted}
    return estimator_class(**{**defaults, **shared, **params.params})


def assign_folds(
    is_positive: np.ndarray, groups: np.ndarray, n_folds: int, random_state: int
) -> np.ndarray:
    """Deal whole groups into folds at random, rows of each class evenly.

    scikit-learn's StratifiedGroupKFold tries every fold for every group, which for thousands of
    small groups takes longer than fitting.

    Parameters
    ----------
    is_positive : ndarray of bool, shape (n_rows,)
        The class. A group with both counts as positive.
    groups : ndarray of int, shape (n_rows,)
        Group numbers.
    n_folds : int
        How many folds to make.
    random_state : int
        Seed of the deal.

    Returns
    -------
    ndarray of int, shape (n_rows,)
        Fold numbers, counted from 0.

    Raises
    ------
    ValueError
        If a class has fewer groups than there are folds.
    """
    rng = np.random.default_rng(random_state)
    _, member, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    has_positive = np.bincount(member, weights=is_positive) > 0
    folds = np.empty(len(sizes), int)
    for stratum in (False, True):
        order = rng.permutation(np.flatnonzero(has_positive == stratum))
        if len(order) < n_folds:
            raise ValueError(
                f"model_building.search.cv: {n_folds} folds need as many groups of each label, "
                f"one label has {len(order)}"
            )
        # The largest first, each to the fold with the fewest rows.
        loads = [(0, fold) for fold in range(n_folds)]
        for group in order[np.argsort(-sizes[order], kind="stable")]:
            n_rows, folds[group] = loads[0]
            heapq.heapreplace(loads, (n_rows + sizes[group], folds[group]))
    return folds[member]


def build_scorer(scoring: str, positive: str) -> Callable[..., float]:
    """Return scikit-learn's scorer of that name, told which label is the positive one."""
    scorer = get_scorer(scoring)
    if scoring not in LABEL_SCORES:
        return scorer
    is_ranking = scoring == "average_precision"
    response = ("decision_function", "predict_proba") if is_ranking else "predict"
    return make_scorer(scorer._score_func, response_method=response, pos_label=positive)


def build_search(
    estimator: ClassifierMixin, folds: np.ndarray, params: ModelParams, positive: str
) -> GridSearchCV | RandomizedSearchCV:
    """Return the unfitted search; with an empty grid it cross-validates ``estimator`` alone.

    Parameters
    ----------
    estimator : classifier
        What to tune.
    folds : ndarray of int, shape (n_rows,)
        The fold that each row is held out in.
    params : ModelParams
        The grid, and how to score.
    positive : str
        The label whose precision, recall and so on count.
    """
    search = params.search
    options = {
        "scoring": build_scorer(search.scoring, positive),
        "n_jobs": search.n_jobs,
        "error_score": "raise",
        "cv": PredefinedSplit(folds),
    }
    if search.n_iter is None or not search.grid:
        return GridSearchCV(estimator, search.grid, **options)
    return RandomizedSearchCV(
        estimator, search.grid, n_iter=search.n_iter, random_state=params.random_state, **options
    )


def fit_classifier(
    X: sp.csr_matrix, y: np.ndarray, groups: np.ndarray, positive: str, params: ModelParams
) -> tuple[ClassifierMixin, pd.DataFrame]:
    """Tune, fit, and calibrate where the classifier gives no probabilities.

    Parameters
    ----------
    X : csr_matrix of shape (n_rows, n_features)
        Training features.
    y : ndarray of str, shape (n_rows,)
        Labels.
    groups : ndarray of int, shape (n_rows,)
        Rows of one group share a fold, so that no score comes from near-duplicates.
    positive : str
        The positive label.
    params : ModelParams
        What to fit.

    Returns
    -------
    classifier : fitted classifier with ``predict_proba``
    results : DataFrame
        A row for each candidate, best first: parameters, mean and standard deviation of the score
        over the folds, each fold's score.
    """
    folds = assign_folds(y == positive, groups, params.search.cv, params.random_state)
    search = build_search(build_estimator(params), folds, params, positive)
    weights = {}
    if params.class_weight is not None and "class_weight" not in search.estimator.get_params():
        weights["sample_weight"] = compute_sample_weight(params.class_weight, y)
    search.fit(X, y, **weights)
    classifier = search.best_estimator_
    if not hasattr(classifier, "predict_proba"):
        uncalibrated = clone(classifier)
        class_weight = uncalibrated.get_params().get("class_weight")
        if isinstance(class_weight, dict):
            # scikit-learn numbers the labels while it cross-validates, and keeps them in the end.
            numbered = {n: class_weight[label] for n, label in enumerate(classifier.classes_)}
            uncalibrated.set_params(class_weight={**class_weight, **numbered})
        classifier = CalibratedClassifierCV(uncalibrated, cv=search.cv, ensemble=False)
        classifier.fit(X, y)
        # The folds served their purpose; the model file need not list them.
        classifier.set_params(cv=params.search.cv)
    return classifier, tabulate_results(search.cv_results_)


def tabulate_results(cv_results: dict[str, Any]) -> pd.DataFrame:
    """Return scikit-learn's ``cv_results_`` without times, best candidate first."""
    results = pd.DataFrame(cv_results).sort_values("rank_test_score", kind="stable")
    columns = ["rank_test_score", "params", "mean_test_score", "std_test_score"]
    columns += [name for name in map(str, results) if name.startswith("split")]
    return results[columns].round(6)


def main(argv: list[str] | None = None) -> None:
    """Build the model from the files that ``argv`` names as the parameters say."""
    parser = argparse.ArgumentParser(description="Tune, fit and store the model.")
    parser.add_argument("--params", type=Path, required=True, help="params.yaml")
    parser.add_argument("--train", type=Path, required=True, help="Parquet of the training rows")
    parser.add_argument("--features", type=Path, required=True, help="matrix of the training rows")
    parser.add_argument("--transformer", type=Path, required=True, help="fitted features")
    parser.add_argument("--model", type=Path, required=True, help="model to write")
    parser.add_argument("--cv-results", type=Path, required=True, help="CSV to write")
    args = parser.parse_args(argv)
    params = read_params(args.params, "model_building", ModelParams)
    train = read_table(args.train, ["label", "group"])
    X = load_matrix(args.features, len(train))
    features = load_model(args.transformer)

    y, groups = train["label"].astype("str").to_numpy(object), train["group"].to_numpy()
    with timed(logger, "cross-validated and fitted %s on %d rows", params.estimator, len(y)):
        try:
            classifier, results = fit_classifier(
                X, y, groups, train["label"].cat.categories[1], params
            )
        except ValueError as error:
            raise ValueError(f"{args.params}: {error}") from error
    best = results.iloc[0]
    logger.info("%s %.4f ± %.4f over folds", params.search.scoring, *best.iloc[2:4])
    write_csv(results, args.cv_results)
    save_model(Pipeline([*features.steps, ("classifier", classifier)]), args.model)


if __name__ == "__main__":
    run_stage(main)
