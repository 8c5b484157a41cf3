"""Tune, fit and calibrate the classifier: features -> model, operating points, results of folds.

By hand: python src/model_building.py --params params.yaml --train data/interim/train.parquet \
    --features data/processed/train.npz --transformer models/features.skops \
    --model models/model.skops --points models/model.points.json \
    --cv-results reports/cv_results.csv
"""

import core.startup  # noqa: F401  (first: see there)

import argparse
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from sklearn.base import ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import GridSearchCV, PredefinedSplit, RandomizedSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils.class_weight import compute_sample_weight

from core.errors import UserError
from core.log import run_stage, timed
from core.params import read_params
from core.tables import read_table, write_csv
from features.matrices import load_matrix
from models.estimators import ModelParams, build_estimator
from models.folds import assign_folds
from models.scorers import build_scorer
from models.self_test import add_self_test
from models.store import load_model, save_model
from models.threshold import compute_operating_points, write_points

logger = logging.getLogger(__name__)


def build_search(
    estimator: ClassifierMixin, folds: np.ndarray, params: ModelParams, positive: str
) -> GridSearchCV | RandomizedSearchCV:
    """Return the unfitted search; with an empty grid it only cross-validates ``estimator``.

    Parameters
    ----------
    estimator : classifier
        What to tune.
    folds : ndarray of int, shape (n_rows,)
        The fold that each row is held out in.
    params : ModelParams
        The grid, and how to score.
    positive : str
        The label that precision, recall and similar scores are about.
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
) -> tuple[ClassifierMixin, np.ndarray, pd.DataFrame]:
    """Tune and fit the classifier; calibrate it if it gives no probabilities.

    Parameters
    ----------
    X : csr_matrix of shape (n_rows, n_features)
        Training features.
    y : ndarray of str, shape (n_rows,)
        Labels.
    groups : ndarray of int, shape (n_rows,)
        Group numbers. Rows of one group are in the same fold, so that no row is scored by a model
        that was fitted on its near-duplicates.
    positive : str
        The positive label.
    params : ModelParams
        The estimator, its parameters and the search.

    Returns
    -------
    classifier : fitted classifier with ``predict_proba``
    probability : ndarray of float, shape (n_rows,)
        Out-of-fold probability of the positive label, by classifiers fitted on the other folds.
    results : DataFrame
        A row for each candidate, best first: name of the score, parameters, mean and standard
        deviation of the score over the folds, score in each fold.
    """
    folds = assign_folds(y == positive, groups, params.search.cv, params.random_state)
    search = build_search(build_estimator(params), folds, params, positive)
    weights = {}
    if params.class_weight is not None and "class_weight" not in search.estimator.get_params():
        weights["sample_weight"] = compute_sample_weight(params.class_weight, y)
    search.fit(X, y, **weights)
    classifier = search.best_estimator_
    held_out = score_held_out(classifier, X, y, folds, weights.get("sample_weight"))
    if not hasattr(classifier, "predict_proba"):
        uncalibrated = clone(classifier)
        class_weight = uncalibrated.get_params().get("class_weight")
        if isinstance(class_weight, dict):
            # CalibratedClassifierCV fits on label numbers while it cross-validates, and on the
            # labels themselves at the end, so the weights need both as keys.
            numbered = {n: class_weight[label] for n, label in enumerate(classifier.classes_)}
            uncalibrated.set_params(class_weight={**class_weight, **numbered})
        classifier = CalibratedClassifierCV(uncalibrated, cv=search.cv, ensemble=False)
        classifier.fit(X, y)
        # Otherwise the model file would contain the fold of every row.
        classifier.set_params(cv=params.search.cv)
        [calibrated] = classifier.calibrated_classifiers_
        held_out = calibrated.calibrators[0].predict(held_out)
    probability = held_out if classifier.classes_[1] == positive else 1 - held_out
    return classifier, probability, tabulate_results(search.cv_results_, params.search.scoring)


def score_held_out(
    classifier: ClassifierMixin,
    X: sp.csr_matrix,
    y: np.ndarray,
    folds: np.ndarray,
    sample_weight: np.ndarray | None,
) -> np.ndarray:
    """Score each row by a copy of ``classifier`` that is fitted on the other folds.

    scikit-learn's cross_val_predict replaces labels by numbers, but class weights refer to labels.

    Returns
    -------
    ndarray of float, shape (n_rows,)
        The probability of the second label; for a classifier without probabilities, its decision
        function.
    """
    scores = np.empty(len(y))
    for fold in np.unique(folds):
        is_held_out = folds == fold
        weights = {} if sample_weight is None else {"sample_weight": sample_weight[~is_held_out]}
        fitted = clone(classifier).fit(X[~is_held_out], y[~is_held_out], **weights)
        if hasattr(fitted, "predict_proba"):
            scores[is_held_out] = fitted.predict_proba(X[is_held_out])[:, 1]
        else:
            scores[is_held_out] = fitted.decision_function(X[is_held_out])
    return scores


def tabulate_results(cv_results: dict[str, Any], scoring: str) -> pd.DataFrame:
    """Return scikit-learn's ``cv_results_`` without times, best candidate first."""
    results = pd.DataFrame(cv_results).sort_values("rank_test_score", kind="stable")
    results = results.assign(scoring=scoring)
    columns = ["rank_test_score", "params", "scoring", "mean_test_score", "std_test_score"]
    columns += [name for name in map(str, results) if name.startswith("split")]
    return results[columns].round(6)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description="Tune, fit and store the model.")
    parser.add_argument("--params", type=Path, required=True, help="params.yaml")
    parser.add_argument("--train", type=Path, required=True, help="Parquet of the training rows")
    parser.add_argument("--features", type=Path, required=True, help="npz of the training rows")
    parser.add_argument("--transformer", type=Path, required=True, help="fitted features")
    parser.add_argument("--model", type=Path, required=True, help="model to write")
    parser.add_argument("--points", type=Path, required=True, help="operating points to write")
    parser.add_argument("--cv-results", type=Path, required=True, help="CSV to write")
    return parser


def main(argv: list[str] | None = None) -> None:
    """Build the model from the files that ``argv`` names."""
    args = build_parser().parse_args(argv)
    params = read_params(args.params, "model_building", ModelParams)
    train = read_table(args.train, ["label", "group"])
    X = load_matrix(args.features, len(train))
    features = load_model(args.transformer)

    y, groups = train["label"].astype("str").to_numpy(object), train["group"].to_numpy()
    positive = train["label"].cat.categories[1]
    with timed(logger, "cross-validated and fitted %s on %d rows", params.estimator, len(y)):
        try:
            classifier, probability, results = fit_classifier(X, y, groups, positive, params)
        except ValueError as error:
            raise UserError(f"{args.params}: {error}") from error
    score = results.loc[results.index[0], ["scoring", "mean_test_score", "std_test_score"]]
    logger.info("%s %.4f ± %.4f over folds", *score)
    write_csv(results, args.cv_results)
    model = Pipeline([*features.steps, ("classifier", classifier)])
    save_model(add_self_test(model), args.model)
    write_points(compute_operating_points(y == positive, probability), args.model, args.points)


if __name__ == "__main__":
    run_stage(main)
