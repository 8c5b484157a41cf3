"""Metrics of a classifier with several labels."""

import numpy as np
import scipy.sparse as sp

# Of equal width, for the calibration of the most probable label.
CALIBRATION_BINS = 10
# Keeps the logarithm of a probability of 0 finite, as scikit-learn does.
LOWEST_PROBABILITY = np.finfo(float).eps


def sum_by(keys: np.ndarray, weights: np.ndarray, n_keys: int, values: float | np.ndarray = 1.0):
    """Return the weighted sums of values by key, shape (n_weightings, n_keys)."""
    values = np.broadcast_to(values, len(keys)).astype(float)
    table = sp.csr_matrix((values, (np.arange(len(keys)), keys)), shape=(len(keys), n_keys))
    return np.asarray((table.T @ weights.T).T)


def weigh_confusion(actual: np.ndarray, probability: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return confusion matrices, the truth in their rows, shape (n_weightings, n, n)."""
    n_labels = probability.shape[1]
    pairs = actual * n_labels + probability.argmax(axis=1)
    return sum_by(pairs, weights, n_labels**2).reshape(len(weights), n_labels, n_labels)


@np.errstate(divide="ignore", invalid="ignore")
def weigh_area(truth: np.ndarray, probability: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the area under the ROC curve for each weighting, NaN for rows of one class."""
    order = np.argsort(-probability, kind="stable")
    truth, probability, weights = truth[order], probability[order], weights[:, order].astype(float)
    # Rows with equal probability are on the same side of every threshold.
    ends = np.append(np.flatnonzero(np.diff(probability)), len(probability) - 1)
    tps = np.cumsum(weights * truth, axis=1)[:, ends]
    fps = np.cumsum(weights * ~truth, axis=1)[:, ends]
    before = np.hstack([np.zeros((len(tps), 1)), tps[:, :-1]])
    area = (np.diff(fps, axis=1, prepend=0) * (tps + before) / 2).sum(axis=1)
    return area / (tps[:, -1] * fps[:, -1])


def weigh_calibration(
    actual: np.ndarray, probability: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the weight of each bin of the highest probability, and two weighted sums in it.

    The sums are of the rows that are predicted right, and of the highest probability. If
    probabilities are calibrated, they are equal.
    """
    highest = probability.max(axis=1)
    is_right = probability.argmax(axis=1) == actual
    bins = np.minimum((highest * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    return (
        sum_by(bins, weights, CALIBRATION_BINS),
        sum_by(bins, weights, CALIBRATION_BINS, is_right),
        sum_by(bins, weights, CALIBRATION_BINS, highest),
    )


@np.errstate(divide="ignore", invalid="ignore")
def weigh_labels(confusion: np.ndarray) -> dict[str, np.ndarray]:
    """Return precision, recall and F1 of each label, shape (n_weightings, n_labels).

    Recall is NaN for a label that no row has; F1 also only if no row is predicted to have it.
    Precision is 0 if no row is predicted to have it.
    """
    right = np.diagonal(confusion, axis1=1, axis2=2)
    actual, predicted = confusion.sum(axis=2), confusion.sum(axis=1)
    precision = np.divide(right, predicted, out=np.zeros_like(right), where=predicted > 0)
    return {
        "precision": precision,
        "recall": right / actual,
        "f1": 2 * right / (actual + predicted),
    }


@np.errstate(divide="ignore", invalid="ignore")
def average(values: np.ndarray) -> np.ndarray:
    """Return the mean of each row's defined values, NaN for a row without any."""
    is_defined = ~np.isnan(values)
    return np.where(is_defined, values, 0).sum(axis=1) / is_defined.sum(axis=1)


def weighted_multiclass_metrics(
    actual: np.ndarray, probability: np.ndarray, weights: np.ndarray
) -> dict[str, np.ndarray]:
    """Compute every metric for several weightings of the rows at once.

    Parameters
    ----------
    actual : ndarray of int, shape (n_rows,)
        The number of each row's label.
    probability : ndarray of float, shape (n_rows, n_labels)
        Predicted probabilities; the label with the highest one is predicted.
    weights : ndarray of shape (n_weightings, n_rows)
        How many times each row counts.

    Returns
    -------
    dict of str to ndarray of shape (n_weightings,)
        Defined as in scikit-learn; means over labels leave out labels that do not occur.
        ``calibration_error`` is the expected calibration error of the predicted label.

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger. On calibration of modern neural networks. ICML
    2017.
    """
    total = weights.sum(axis=1)
    confusion = weigh_confusion(actual, probability, weights)
    by_label = weigh_labels(confusion)
    truth, predicted = confusion.sum(axis=2), confusion.sum(axis=1)
    right = np.trace(confusion, axis1=1, axis2=2)
    spread = (total**2 - (truth**2).sum(axis=1)) * (total**2 - (predicted**2).sum(axis=1))
    covariance = right * total - (truth * predicted).sum(axis=1)
    correlation = np.zeros_like(total, dtype=float)
    np.divide(covariance, np.sqrt(spread), out=correlation, where=spread > 0)
    chosen = np.clip(probability[np.arange(len(actual)), actual], LOWEST_PROBABILITY, 1)
    areas = [weigh_area(actual == k, column, weights) for k, column in enumerate(probability.T)]
    _, n_right, confidence = weigh_calibration(actual, probability, weights)
    return {
        "accuracy": right / total,
        "balanced_accuracy": average(by_label["recall"]),
        "macro_f1": average(by_label["f1"]),
        "mcc": correlation,
        "log_loss": weights @ -np.log(chosen) / total,
        "roc_auc_ovr": average(np.column_stack(areas)),
        "calibration_error": np.abs(n_right - confidence).sum(axis=1) / total,
    }
