"""Cross-validate candidates on the training set, fit the best, calibrate its probabilities."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, clone, is_regressor
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import ParameterGrid, ParameterSampler
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.validation import has_fit_parameter

from models.adapted import ScaledClassifier
from models.augmentation import Copier
from models.calibration import cross_calibrate, fit_scale
from models.ensemble import BranchEnsemble
from models.estimators import Candidate, ModelParams, build_estimator
from models.folds import NEVER, list_splits
from models.probability import logistic
from models.resampling import Matrix, build_resampler
from models.scorers import check_scoring, score_folds
from models.target_transforms import check_range
from records.schema import Schema
from records.tasks import TASKS

# The features of the rows to fit on and of those held out, and where the branches are.
Fold = tuple[Matrix, Matrix, Mapping[str, Sequence[int]]]


@dataclass(frozen=True)
class Trained:
    """A fitted estimator and what cross-validation found.

    Attributes
    ----------
    estimator : fitted estimator
        With ``predict_proba`` if the target is a label.
    truth : ndarray, shape (n_rows,)
        Of the rows that were held out: whether the label is the positive one; with more labels its
        number; or the number to predict.
    outputs : ndarray of float, shape (n_rows,) or (n_rows, n_labels)
        What estimators fitted on the other folds give for these rows: the probability of the
        positive label, or of each label; or the predicted number.
    results : DataFrame
        A row for each candidate, best first: estimator, parameters, name of the score, its mean
        and standard deviation over the folds, the score in each fold.
    """

    estimator: BaseEstimator
    truth: np.ndarray
    outputs: np.ndarray
    results: pd.DataFrame


def fit_best(
    X: Matrix,
    y: np.ndarray,
    folds: np.ndarray,
    schema: Schema,
    params: ModelParams,
    branches: Mapping[str, Sequence[int]] | None = None,
    make_copies: Copier | None = None,
    refit: Callable[[np.ndarray, np.ndarray], Fold] | None = None,
) -> Trained:
    """Compare the candidates by cross-validation, fit and calibrate the best.

    Parameters
    ----------
    X : matrix of shape (n_rows, n_features)
        Training features.
    y : ndarray, shape (n_rows,)
        Labels, or numbers.
    folds : ndarray of int, shape (n_rows,)
        The fold in which each row is held out. Rows of one group are in the same fold, so that no
        row is scored by a model that was fitted on its near-duplicates.
    schema : Schema
        Task and labels.
    params : ModelParams
        The estimators, their parameters and the search.
    branches : mapping of str to (int, int), optional
        First column of each branch of features, and the one after its last.
    make_copies : callable, optional
        Makes copies of the rows, which are fitted on with their rows and never scored.
    refit : callable, optional
        Makes the features of a fold, where they have to be fitted in it.
    """
    check_scoring(params.search.scoring, TASKS[schema.task])
    truth, scored = find_truth(y, schema), folds
    if not TASKS[schema.task].has_classes:
        check_range(y, params.target_transform)
    candidates = list_candidates(params)
    tried = [build_estimator(params, schema, branches, each) for each, _ in candidates]
    if make_copies is not None:
        X_copies, origins = make_copies(folds)
        X, y = sp.vstack([X, X_copies], format="csr"), np.concatenate([y, y[origins]])
        folds = np.concatenate([folds, folds[origins]])
    n_rows = len(scored)
    splits = [(others, rows[rows < n_rows]) for others, rows in list_splits(folds)]
    refitted = [refit(*each) for each in splits] if refit is not None else None
    held_out = Parallel(params.search.n_jobs)(
        delayed(score_held_out)(each, X, y, splits, n_rows, schema, params, refitted)
        for each in tried
    )
    outputs = [
        convert_scores(each, scores, y[:n_rows], scored, schema)
        for each, scores in zip(tried, held_out, strict=True)
    ]
    scores = [score_folds(truth, each, scored, params.search.scoring) for each in outputs]
    results = tabulate_results(
        [(each.estimator, shown) for each, shown in candidates],
        np.array(scores),
        params.search.scoring,
    )
    best = results.index[0]
    estimator = fit_estimator(tried[best], X, y, weigh_rows(tried[best], y, params), schema, params)
    output, is_scored = outputs[best], scored != NEVER
    if is_uncalibrated(estimator):
        codes = np.unique(y[:n_rows], return_inverse=True)[1]
        slope, offset = fit_scale(held_out[best][is_scored], codes[is_scored])
        estimator = calibrate(estimator, slope, offset)
        output = of_positive(logistic(slope * held_out[best] + offset), y[:n_rows], schema)
    return Trained(estimator, truth[is_scored], output[is_scored], results)


def list_candidates(params: ModelParams) -> list[tuple[Candidate, dict[str, Any]]]:
    """Return what to try, each with the parameters to show in the table of results.

    They are the points of the grid, without a grid the estimator as it is, then the candidates.
    """
    search = params.search
    if search.n_iter is None or not search.grid:
        points = list(ParameterGrid(search.grid))
    else:
        points = list(
            ParameterSampler(search.grid, search.n_iter, random_state=params.random_state)
        )
    found = [
        (Candidate(estimator=params.estimator, params={**params.params, **point}), point)
        for point in points
    ]
    return found + [(each, each.params) for each in params.candidates]


def is_uncalibrated(estimator: BaseEstimator) -> bool:
    """Return whether a classifier's scores have to be turned into probabilities."""
    if is_regressor(estimator):
        return False
    return isinstance(estimator, BranchEnsemble) or not hasattr(estimator, "predict_proba")


def calibrate(classifier: BaseEstimator, slope: float, offset: float) -> BaseEstimator:
    """Return a fitted classifier whose scaled scores are logits of its probabilities."""
    if isinstance(classifier, BranchEnsemble):
        classifier.calibrate(slope, offset)
        return classifier
    return ScaledClassifier(classifier, slope, offset)


def weigh_rows(
    estimator: BaseEstimator, y: np.ndarray, params: ModelParams
) -> dict[str, np.ndarray]:
    """Return weights of the rows, for a classifier that takes them but no weights of labels."""
    inner = getattr(estimator, "estimator", estimator)
    if (
        is_regressor(estimator)
        or params.class_weight is None
        or "class_weight" in estimator.get_params()
        or not has_fit_parameter(inner, "sample_weight")
        # It is to show how often each label occurs.
        or isinstance(estimator, DummyClassifier)
    ):
        return {}
    return {"sample_weight": compute_sample_weight(params.class_weight, y)}


def fit_estimator(
    estimator: BaseEstimator,
    X: Matrix,
    y: np.ndarray,
    weights: dict[str, np.ndarray],
    schema: Schema,
    params: ModelParams,
) -> BaseEstimator:
    """Return a copy of an estimator fitted on rows, which are resampled if that is wanted."""
    resampler = build_resampler(params.resampling, params.random_state, TASKS[schema.task])
    if resampler is not None:
        X, y = resampler.fit_resample(X, y)
        weights = weigh_rows(estimator, y, params)
    return clone(estimator).fit(X, y, **weights)


def score_held_out(
    estimator: BaseEstimator,
    X: Matrix,
    y: np.ndarray,
    splits: Sequence[tuple[np.ndarray, np.ndarray]],
    n_rows: int,
    schema: Schema,
    params: ModelParams,
    refitted: Sequence[Fold] | None = None,
) -> np.ndarray:
    """Score each row by a copy of ``estimator`` that is fitted on the other folds.

    scikit-learn's cross_val_predict replaces labels by numbers, but class weights refer to labels.

    Parameters
    ----------
    estimator : estimator
        What to fit.
    X, y
        Features and target.
    splits : sequence of (ndarray, ndarray)
        The rows to fit on, and those held out.
    n_rows : int
        How many rows are scored. Those after them are copies, which are only fitted on.
    schema, params
        As of ``fit_best``.
    refitted : sequence of Fold, optional
        The features of each split instead of ``X``.

    Returns
    -------
    ndarray of float, shape (n_rows,) or (n_rows, n_labels)
        As of ``score_rows``; NaN for rows that are never held out.
    """
    weights = weigh_rows(estimator, y, params)
    scores = np.empty(0)
    for number, (others, held_out) in enumerate(splits):
        if refitted is None:
            X_others, X_held_out = X[others], X[held_out]
        else:
            X_others, X_held_out, branches = refitted[number]
            if "branches" in estimator.get_params():
                estimator = clone(estimator).set_params(branches=branches)
        of_others = {name: values[others] for name, values in weights.items()}
        fitted = fit_estimator(estimator, X_others, y[others], of_others, schema, params)
        found = score_rows(fitted, X_held_out)
        if not len(scores):
            scores = np.full((n_rows, *found.shape[1:]), np.nan)
        scores[held_out] = found
    return scores


def score_rows(estimator: BaseEstimator, X: Matrix) -> np.ndarray:
    """Return what a fitted estimator gives for rows.

    Returns
    -------
    ndarray of float, shape (n_rows,) or (n_rows, n_labels)
        Predicted numbers of a regressor; of a classifier the probability of the second label, or
        of each label if there are more; of an uncalibrated classifier, decision functions.
    """
    if is_regressor(estimator):
        return estimator.predict(X)
    if is_uncalibrated(estimator):
        return estimator.decision_function(X)
    probability = estimator.predict_proba(X)
    return probability[:, 1] if probability.shape[1] == 2 else probability


def find_truth(y: np.ndarray, schema: Schema) -> np.ndarray:
    """Return what outputs are compared with: see ``Trained``."""
    if schema.positive is not None:
        return y == schema.positive
    return np.unique(y, return_inverse=True)[1] if y.dtype == object else y


def convert_scores(
    estimator: BaseEstimator, scores: np.ndarray, y: np.ndarray, folds: np.ndarray, schema: Schema
) -> np.ndarray:
    """Turn what ``score_held_out`` returns into outputs: see ``Trained``."""
    if is_uncalibrated(estimator):
        scores = cross_calibrate(scores, np.unique(y, return_inverse=True)[1], folds)
    return of_positive(scores, y, schema)


def of_positive(probability: np.ndarray, y: np.ndarray, schema: Schema) -> np.ndarray:
    """Return the positive label's probability from the second label's; others stay as they are."""
    return 1 - probability if schema.positive == y.min() else probability


def tabulate_results(
    candidates: list[tuple[str, dict[str, Any]]], scores: np.ndarray, scoring: str
) -> pd.DataFrame:
    """Return the candidates' scores, best first.

    Parameters
    ----------
    candidates : list of (str, dict)
        Estimators and their parameters.
    scores : ndarray of float, shape (n_candidates, n_folds)
        The score in each fold.
    scoring : str
        The name of the score.
    """
    estimators, params = zip(*candidates, strict=True)
    results = pd.DataFrame({"estimator": estimators, "params": params, "scoring": scoring})
    results["mean_test_score"] = scores.mean(axis=1)
    results["std_test_score"] = scores.std(axis=1)
    for fold, of_fold in enumerate(scores.T):
        results[f"split{fold}_test_score"] = of_fold
    ranks = results["mean_test_score"].rank(ascending=False, method="min").astype(int)
    results.insert(0, "rank_test_score", ranks)
    return results.sort_values("rank_test_score", kind="stable").round(6)
