"""Metrics of a regression."""

import numpy as np


@np.errstate(divide="ignore", invalid="ignore")
def weighted_regression_metrics(
    actual: np.ndarray, predicted: np.ndarray, weights: np.ndarray
) -> dict[str, np.ndarray]:
    """Compute every metric for several weightings of the rows at once.

    Parameters
    ----------
    actual, predicted : ndarray of float, shape (n_rows,)
        The target, and what the model predicts.
    weights : ndarray of shape (n_weightings, n_rows)
        How many times each row counts.

    Returns
    -------
    dict of str to ndarray of shape (n_weightings,)
        ``mae``, ``rmse``, ``r2`` and ``median_absolute_error`` as in scikit-learn. ``mape`` is the
        mean of the errors as shares of the target, over rows whose target is positive.
        ``total_bias`` is the sum of the errors as a share of the sum of the absolute targets. A
        metric that is not defined is NaN or infinite.
    """
    weights = weights.astype(float)
    total = weights.sum(axis=1)
    error = predicted - actual
    size = np.abs(error)
    # The spread does not change, and its sums do not cancel.
    centred = actual - actual.mean()
    spread = weights @ centred**2 - (weights @ centred) ** 2 / total
    squares = weights @ error**2
    is_positive = actual > 0
    share = np.divide(size, actual, out=np.zeros_like(size), where=is_positive)
    return {
        "mae": weights @ size / total,
        "rmse": np.sqrt(squares / total),
        "r2": 1 - squares / spread,
        "median_absolute_error": weigh_median(size, weights),
        "mape": weights @ share / (weights @ is_positive.astype(float)),
        "total_bias": weights @ error / (weights @ np.abs(actual)),
    }


def weigh_median(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the weighted median of values, shape (n_weightings,)."""
    order = np.argsort(values, kind="stable")
    summed = np.cumsum(weights[:, order], axis=1)
    half = summed[:, -1:] / 2
    # With equal weights of an even number of values it is the mean of the two in the middle.
    lower, upper = (summed >= half).argmax(axis=1), (summed > half).argmax(axis=1)
    return (values[order][lower] + values[order][upper]) / 2
