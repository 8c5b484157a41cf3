"""How good a model is on new data: measured with labels, estimated without."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.errors import UserError
from evaluation.scores import Evaluation, EvaluationParams, Measured, Scored, measure

# Iterations stop when no share of a label changes by more.
TOLERANCE = 1e-9
MAX_ITERATIONS = 10_000
# No share of a label falls to exactly 0, from which it could not rise again.
LEAST_SHARE = 1e-12


@dataclass(frozen=True)
class Expected:
    """What the probabilities of some rows say.

    Attributes
    ----------
    shares : dict of str to float
        How many of the rows have each label.
    metrics : dict of str to float
        The metrics that slices show.
    """

    shares: dict[str, float]
    metrics: dict[str, float]


def as_matrix(predicted: np.ndarray) -> np.ndarray:
    """Return the probability of each label, also if it was that of the second one alone."""
    return np.column_stack([1 - predicted, predicted]) if predicted.ndim == 1 else predicted


def find_shares(probability: np.ndarray, before: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how many rows have each label, and the probabilities that fit these shares.

    Parameters
    ----------
    probability : ndarray of float, shape (n_rows, n_labels)
        As the model predicts them.
    before : ndarray of float, shape (n_labels,)
        The shares for which they are calibrated.

    Notes
    -----
    It assumes that the rows of each label look as before, and only their shares differ.
    Reference: M. Saerens, P. Latinne, C. Decaestecker, Adjusting the outputs of a classifier to new
    a priori probabilities: a simple procedure, 2002.
    """
    before = np.maximum(before, LEAST_SHARE)
    shares = before
    for _ in range(MAX_ITERATIONS):
        corrected = np.maximum(probability, LEAST_SHARE) * (shares / before)
        corrected /= corrected.sum(axis=1, keepdims=True)
        last, shares = shares, np.maximum(corrected.mean(axis=0), LEAST_SHARE)
        if np.abs(shares - last).max() < TOLERANCE:
            break
    return shares, corrected


def expect(
    task: Evaluation,
    labels: list[str],
    predicted: np.ndarray,
    before: np.ndarray,
    params: EvaluationParams,
) -> Expected:
    """Return the metrics to expect of some rows if their probabilities are calibrated.

    Each row counts once with every label, by the label's probability.

    Parameters
    ----------
    task : Evaluation
        Computes the metrics.
    labels : list of str
        In the order of the probabilities.
    predicted : ndarray of float, shape (n_rows,) or (n_rows, n_labels)
        Probability of the second label, or of each.
    before : ndarray of float, shape (n_labels,)
        The shares of the labels for which they are calibrated.
    params : EvaluationParams
        The threshold.
    """
    shares, corrected = find_shares(as_matrix(predicted), before)
    n_rows, n_labels = corrected.shape
    number = np.repeat(np.arange(n_labels), n_rows)
    actual = number == 1 if predicted.ndim == 1 else number
    repeated = np.concatenate([predicted] * n_labels)
    scored = Scored(pd.DataFrame(index=range(len(number))), labels, actual, repeated)
    found = task.weigh(scored, corrected.T.reshape(1, -1), params)
    metrics = {
        name: task.tidy(found[name][0])
        for name in task.shown
        if name in found and np.isfinite(found[name][0])
    }
    return Expected(
        {label: task.tidy(share) for label, share in zip(labels, shares, strict=True)}, metrics
    )


def measure_labelled(
    task: Evaluation,
    labels: list[str],
    target: pd.Series,
    predicted: np.ndarray,
    params: EvaluationParams,
) -> tuple[Measured | None, str]:
    """Return the metrics of the rows that have a label, with intervals, or why there are none.

    Parameters
    ----------
    task, labels, predicted, params
        As of ``expect``; there are no labels of a number.
    target : Series of shape (n_rows,)
        Typed labels or numbers, missing where they are not known.
    """
    is_known = target.notna().to_numpy()
    if not is_known.any():
        return None, "no row has a label"
    # Each row counts as independent of the others.
    df = pd.DataFrame({"group": np.arange(is_known.sum())})
    actual = task.read_target(target[is_known].reset_index(drop=True))
    scored = Scored(df, labels, actual, predicted[is_known])
    try:
        task.check(scored)
    except UserError as error:
        return None, error.message
    return measure(task, scored, params), ""
