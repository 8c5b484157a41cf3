"""Metrics of a two-class classifier; the direction and the format of all metrics."""

import numpy as np

# Ends of the names of metrics that are errors; some names begin with a set or a label.
LOWER_IS_BETTER = (
    "brier_score",
    "fpr",
    "_blocked",
    "log_loss",
    "calibration_error",
    "mae",
    "rmse",
    "absolute_error",
    "squared_error",
    "mape",
)
# Ends in one of the above, but is a recall.
RECALL_AT_MAX_FPR = "recall_at_max_fpr"
# In the names of scikit-learn's scores that are errors with the sign changed.
NEGATED = "neg_"
NEAR_ZERO_IS_BETTER = "total_bias"
# Metrics that are no shares: numbers without a unit, and numbers in the unit of the target.
SCORES = (
    "average_precision",
    "brier_score",
    "f1",
    "log_loss",
    "macro_f1",
    "mcc",
    "r2",
    "roc_auc",
    "roc_auc_ovr",
)
IN_UNITS = ("mae", "rmse", "median_absolute_error")


def is_lower_better(name: str) -> bool:
    """Return whether a lower value of a metric is better, such as of ``test.ham_blocked``."""
    if name.endswith(RECALL_AT_MAX_FPR) or NEGATED in name:
        return False
    return name.endswith(LOWER_IS_BETTER)


def find_loss(name: str, value: float) -> float:
    """Return a number that is lower for a better value of a metric."""
    if name.endswith(NEAR_ZERO_IS_BETTER):
        return abs(value)
    return value if is_lower_better(name) else -value


def format_metric(name: str, value: float) -> str:
    """Return a metric as text: in per cent, as a number, or in the unit of the target."""
    if name in IN_UNITS:
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:.4f}" if name in SCORES else f"{value:.2%}"


def weighted_metrics(
    is_positive: np.ndarray,
    probability: np.ndarray,
    weights: np.ndarray,
    threshold: float,
    max_fpr: float,
) -> dict[str, np.ndarray]:
    """Compute every metric for several weightings of the rows at once.

    Parameters
    ----------
    is_positive : ndarray of bool, shape (n_rows,)
        The true class of each row. Both classes must have a weight above 0 in each weighting.
    probability : ndarray of float, shape (n_rows,)
        Predicted probability of the positive class.
    weights : ndarray of shape (n_weightings, n_rows)
        How many times each row counts.
    threshold : float
        A row is predicted positive if its probability is at least this.
    max_fpr : float
        The highest false-positive rate for ``recall_at_max_fpr``: the highest recall of any
        threshold whose false-positive rate is at most this.

    Returns
    -------
    dict of str to ndarray of shape (n_weightings,)
        Defined as in scikit-learn; precision and correlation are 0 if nothing is predicted
        positive. ``fpr`` is the share of the negative class that is predicted positive.
    """
    order = np.argsort(-probability, kind="stable")
    truth, probability = is_positive[order], probability[order]
    weights = weights[:, order].astype(float)
    total = weights.sum(axis=1)
    # Rows with equal probability are on the same side of every threshold.
    ends = np.append(np.flatnonzero(np.diff(probability)), len(probability) - 1)
    tps = np.cumsum(weights * truth, axis=1)[:, ends]
    fps = np.cumsum(weights * ~truth, axis=1)[:, ends]
    positives, negatives = tps[:, -1], fps[:, -1]
    recall, fpr = tps / positives[:, None], fps / negatives[:, None]
    precision = divide(tps, tps + fps)
    gained = np.diff(recall, axis=1, prepend=0)

    predicted = probability >= threshold
    tp = (weights * (truth & predicted)).sum(axis=1)
    fp = (weights * (~truth & predicted)).sum(axis=1)
    before = np.hstack([np.zeros((len(recall), 1)), recall[:, :-1]])
    return {
        **metrics_of_counts(tp, fp, positives, negatives),
        "roc_auc": (np.diff(fpr, axis=1, prepend=0) * (recall + before) / 2).sum(axis=1),
        "average_precision": (gained * precision).sum(axis=1),
        "brier_score": (weights * (probability - truth) ** 2).sum(axis=1) / total,
        "fpr": fp / negatives,
        "recall_at_max_fpr": np.where(fpr <= max_fpr, recall, 0).max(axis=1),
    }


def metrics_of_counts(
    tp: np.ndarray, fp: np.ndarray, positives: np.ndarray, negatives: np.ndarray
) -> dict[str, np.ndarray]:
    """Compute the metrics that depend only on the numbers of true and false positives."""
    tn, fn = negatives - fp, positives - tp
    spread = np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    return {
        "accuracy": (tp + tn) / (positives + negatives),
        "precision": divide(tp, tp + fp),
        "recall": tp / positives,
        "f1": 2 * tp / (2 * tp + fp + fn),
        "mcc": divide(tp * tn - fp * fn, spread),
    }


def divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Divide; return 0 where the denominator is 0."""
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator != 0)


def rates_by_threshold(
    is_positive: np.ndarray, probability: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return 101 thresholds from 0 to 1, and the recall and false-positive rate at each."""
    thresholds = np.linspace(0, 1, 101).round(2)
    recall, fpr = (
        1 - np.searchsorted(np.sort(scores), thresholds, side="left") / len(scores)
        for scores in (probability[is_positive], probability[~is_positive])
    )
    return thresholds, recall, fpr
