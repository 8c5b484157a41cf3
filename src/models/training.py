"""Cross-validate candidates on the training set, fit the best, calibrate its probabilities."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from joblib import Parallel, delayed
from scipy.special import expit
from sklearn.base import ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import ParameterGrid, ParameterSampler, PredefinedSplit
from sklearn.utils.class_weight import compute_sample_weight

from core.errors import UserError
from models.augmentation import Copier
from models.ensemble import BranchEnsemble
from models.estimators import ModelParams, build_estimator
from models.folds import assign_folds
from models.scorers import SCORES

# The last digits of a fitted sigmoid depend on the processor.
DIGITS = 6


def fit_classifier(
    X: sp.csr_matrix,
    y: np.ndarray,
    groups: np.ndarray,
    positive: str,
    params: ModelParams,
    branches: Mapping[str, Sequence[int]] | None = None,
    make_copies: Copier | None = None,
) -> tuple[ClassifierMixin, np.ndarray, pd.DataFrame]:
    """Tune and fit the classifier; calibrate it if it gives no calibrated probabilities.

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
    branches : mapping of str to (int, int), optional
        First column of each branch of features, and the one after its last.
    make_copies : callable, optional
        Makes copies of the rows, which are fitted on with their rows and never scored.

    Returns
    -------
    classifier : fitted classifier with ``predict_proba``
    probability : ndarray of float, shape (n_rows,)
        Out-of-fold probability of the positive label, by classifiers fitted on the other folds.
    results : DataFrame
        A row for each candidate, best first: name of the score, parameters, mean and standard
        deviation of the score over the folds, score in each fold.

    Raises
    ------
    UserError
        If there are copies, and the classifier is one that scikit-learn calibrates.
    """
    folds = assign_folds(y == positive, groups, params.search.cv, params.random_state)
    estimator = build_estimator(params, branches)
    candidates = list_candidates(params)
    tried = [clone(estimator).set_params(**candidate) for candidate in candidates]
    is_positive, n_rows = y == positive, len(y)
    if make_copies is not None:
        if any(is_uncalibrated(each) and not has_weights(each) for each in tried):
            raise UserError(
                f"model_building.augmentation: {params.estimator} gives no probabilities",
                "set enabled: false, or choose an estimator that gives them",
            )
        X_copies, origins = make_copies(folds)
        X, y = sp.vstack([X, X_copies], format="csr"), np.concatenate([y, y[origins]])
        folds = np.concatenate([folds, folds[origins]])
    weights = {}
    if params.class_weight is not None and "class_weight" not in estimator.get_params():
        weights["sample_weight"] = compute_sample_weight(params.class_weight, y)
    held_out = Parallel(params.search.n_jobs)(
        delayed(score_held_out)(each, X, y, folds, n_rows, weights) for each in tried
    )
    second = np.unique(y)[1]
    is_second, scored = y[:n_rows] == second, folds[:n_rows]
    scores = []
    for each, raw in zip(tried, held_out, strict=True):
        probability = cross_calibrate(raw, is_second, scored) if is_uncalibrated(each) else raw
        probability = probability if second == positive else 1 - probability
        scores.append(score_folds(is_positive, probability, scored, params.search.scoring))
    results = tabulate_results(candidates, np.array(scores), params.search.scoring)
    best = results.index[0]
    classifier, probability = tried[best].fit(X, y, **weights), held_out[best]
    if is_uncalibrated(classifier):
        classifier, probability = calibrate(classifier, probability, X, y, folds, params)
    return classifier, probability if second == positive else 1 - probability, results


def list_candidates(params: ModelParams) -> list[dict[str, Any]]:
    """Return the points of the grid to try; without a grid only ``{}``, nothing changed."""
    search = params.search
    if search.n_iter is None or not search.grid:
        return list(ParameterGrid(search.grid))
    return list(ParameterSampler(search.grid, search.n_iter, random_state=params.random_state))


def has_weights(classifier: ClassifierMixin) -> bool:
    """Return whether a classifier is calibrated by scaling its own weights."""
    return isinstance(classifier, BranchEnsemble)


def is_uncalibrated(classifier: ClassifierMixin) -> bool:
    """Return whether a classifier's scores have to be turned into probabilities."""
    return has_weights(classifier) or not hasattr(classifier, "predict_proba")


def score_held_out(
    classifier: ClassifierMixin,
    X: sp.csr_matrix,
    y: np.ndarray,
    folds: np.ndarray,
    n_rows: int,
    weights: dict[str, np.ndarray],
) -> np.ndarray:
    """Score each row by a copy of ``classifier`` that is fitted on the other folds.

    scikit-learn's cross_val_predict replaces labels by numbers, but class weights refer to labels.

    Parameters
    ----------
    classifier : classifier
        What to fit.
    X, y, folds
        Features, labels and the fold in which each row is held out.
    n_rows : int
        How many rows are scored. Those after them are copies, which are only fitted on.
    weights : dict
        Empty, or ``sample_weight``, shape (n_rows,).

    Returns
    -------
    ndarray of float, shape (n_rows,)
        The probability of the second label; for an uncalibrated classifier, its decision function.
    """
    scores = np.empty(n_rows)
    for fold in np.unique(folds):
        others, held_out = np.flatnonzero(folds != fold), np.flatnonzero(folds[:n_rows] == fold)
        of_others = {name: values[others] for name, values in weights.items()}
        fitted = clone(classifier).fit(X[others], y[others], **of_others)
        scores[held_out] = score_rows(fitted, X[held_out])
    return scores


def score_rows(classifier: ClassifierMixin, X: sp.csr_matrix) -> np.ndarray:
    """Return a fitted classifier's scores, shape (n_rows,).

    They are probabilities of the second label; of an uncalibrated classifier, decision functions.
    """
    if is_uncalibrated(classifier):
        return classifier.decision_function(X)
    return classifier.predict_proba(X)[:, 1]


def fit_sigmoid(scores: np.ndarray, is_second: np.ndarray) -> tuple[float, float]:
    """Return slope and offset by which the logistic function of a score is a probability.

    Reference: J. Platt, Probabilistic outputs for support vector machines, 1999, whose smoothed
    targets keep the slope finite where no score is wrong.
    """
    n_second = is_second.sum()
    target = np.where(is_second, (n_second + 1) / (n_second + 2), 1 / (len(scores) - n_second + 2))
    model = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000)
    twice = np.concatenate([scores, scores])[:, None]
    label = np.repeat([1, 0], len(scores))
    model.fit(twice, label, sample_weight=np.concatenate([target, 1 - target]))
    return round(float(model.coef_[0, 0]), DIGITS), round(float(model.intercept_[0]), DIGITS)


def cross_calibrate(scores: np.ndarray, is_second: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Turn out-of-fold scores into probabilities, those of a fold by a sigmoid of the others."""
    probability = np.empty(len(scores))
    for fold in np.unique(folds):
        is_held_out = folds == fold
        slope, offset = fit_sigmoid(scores[~is_held_out], is_second[~is_held_out])
        probability[is_held_out] = expit(slope * scores[is_held_out] + offset)
    return probability


def calibrate(
    classifier: ClassifierMixin,
    scores: np.ndarray,
    X: sp.csr_matrix,
    y: np.ndarray,
    folds: np.ndarray,
    params: ModelParams,
) -> tuple[ClassifierMixin, np.ndarray]:
    """Return a classifier with calibrated probabilities, and those of the out-of-fold scores."""
    if has_weights(classifier):
        slope, offset = fit_sigmoid(scores, y[: len(scores)] == classifier.classes_[1])
        classifier.calibrate(slope, offset)
        return classifier, expit(slope * scores + offset)
    uncalibrated = clone(classifier)
    class_weight = uncalibrated.get_params().get("class_weight")
    if isinstance(class_weight, dict):
        # CalibratedClassifierCV fits on label numbers while it cross-validates, and on the labels
        # themselves at the end, so the weights need both as keys. A label without one counts once.
        for number, label in enumerate(classifier.classes_):
            class_weight = {label: 1, **class_weight}
            class_weight[number] = class_weight[label]
        uncalibrated.set_params(class_weight=class_weight)
    calibrated = CalibratedClassifierCV(uncalibrated, cv=PredefinedSplit(folds), ensemble=False)
    calibrated.fit(X, y)
    # Otherwise the model file would contain the fold of every row.
    calibrated.set_params(cv=params.search.cv)
    [whole] = calibrated.calibrated_classifiers_
    return calibrated, whole.calibrators[0].predict(scores)


def score_folds(
    is_positive: np.ndarray, probability: np.ndarray, folds: np.ndarray, scoring: str
) -> list[float]:
    """Return the score of each fold's rows; ``probability`` is of the positive label."""
    score, is_of_ranking = SCORES[scoring]
    predicted = probability if is_of_ranking else probability > 1 / 2
    return [
        score(is_positive[folds == fold], predicted[folds == fold]) for fold in np.unique(folds)
    ]


def tabulate_results(
    candidates: list[dict[str, Any]], scores: np.ndarray, scoring: str
) -> pd.DataFrame:
    """Return the candidates' scores, best first.

    Parameters
    ----------
    candidates : list of dict
        Their parameters.
    scores : ndarray of float, shape (n_candidates, n_folds)
        The score in each fold.
    scoring : str
        The name of the score.
    """
    results = pd.DataFrame({"params": candidates, "scoring": scoring})
    results["mean_test_score"] = scores.mean(axis=1)
    results["std_test_score"] = scores.std(axis=1)
    for fold, of_fold in enumerate(scores.T):
        results[f"split{fold}_test_score"] = of_fold
    ranks = results["mean_test_score"].rank(ascending=False, method="min").astype(int)
    results.insert(0, "rank_test_score", ranks)
    return results.sort_values("rank_test_score", kind="stable").round(6)
