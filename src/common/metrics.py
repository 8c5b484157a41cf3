"""Metrics of a two-class classifier, with bootstrap intervals."""

import numpy as np

CONFIDENCE = 0.95
# Bootstrap samples at a time: few enough for the processor's cache.
BLOCK_SAMPLES = 50


def weighted_metrics(
    is_positive: np.ndarray,
    probability: np.ndarray,
    weights: np.ndarray,
    threshold: float,
    max_fpr: float,
) -> dict[str, np.ndarray]:
    """Compute every metric under each of several weightings of the rows at once.

    Parameters
    ----------
    is_positive : ndarray of bool, shape (n_rows,)
        The truth. Both classes must have weight in each weighting.
    probability : ndarray of float, shape (n_rows,)
        Predicted probability of the positive class.
    weights : ndarray of shape (n_weightings, n_rows)
        How many times each row counts.
    threshold : float
        A row is predicted positive if its probability is at least this.
    max_fpr : float
        The largest false-positive rate of ``recall_at_max_fpr``, which chooses its own threshold.

    Returns
    -------
    dict of str to ndarray of shape (n_weightings,)
        The definitions are scikit-learn's; a precision or correlation with nothing predicted
        positive is 0. ``fpr`` is the share of the negative class predicted positive.
    """
    order = np.argsort(-probability, kind="stable")
    truth, probability = is_positive[order], probability[order]
    weights = weights[:, order].astype(float)
    total = weights.sum(axis=1)
    # Rows of equal probability cross a threshold together.
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
    tn, fn = negatives - fp, positives - tp
    spread = np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    before = np.hstack([np.zeros((len(recall), 1)), recall[:, :-1]])
    return {
        "accuracy": (tp + tn) / total,
        "precision": divide(tp, tp + fp),
        "recall": tp / positives,
        "f1": 2 * tp / (2 * tp + fp + fn),
        "mcc": divide(tp * tn - fp * fn, spread),
        "roc_auc": (np.diff(fpr, axis=1, prepend=0) * (recall + before) / 2).sum(axis=1),
        "average_precision": (gained * precision).sum(axis=1),
        "brier_score": (weights * (probability - truth) ** 2).sum(axis=1) / total,
        "fpr": fp / negatives,
        "recall_at_max_fpr": np.where(fpr <= max_fpr, recall, 0).max(axis=1),
    }


def divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Divide; where the denominator is 0, the result is 0."""
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator != 0)


def resample_groups(
    is_positive: np.ndarray, groups: np.ndarray, n_samples: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw bootstrap samples of whole groups, within each class, as weights of the rows.

    Groups with both classes are drawn apart, so that every sample has rows of both.

    Rows of one group are not independent, so drawing single rows would make intervals too narrow.

    Parameters
    ----------
    is_positive : ndarray of bool, shape (n_rows,)
        The truth.
    groups : ndarray of int, shape (n_rows,)
        Group numbers.
    n_samples : int
        How many samples to draw.
    rng : Generator
        Source of the draws.

    Returns
    -------
    ndarray of int, shape (n_samples, n_rows)
        How many times each row stands in each sample.

    References
    ----------
    A. C. Davison, D. V. Hinkley. Bootstrap Methods and their Application, section 3.8. Cambridge
    University Press 1997.
    """
    _, member = np.unique(groups, return_inverse=True)
    has_positive = np.bincount(member, weights=is_positive) > 0
    has_negative = np.bincount(member, weights=~is_positive) > 0
    strata = has_positive + 2 * has_negative
    counts = np.zeros((n_samples, len(strata)), np.int64)
    for stratum in np.unique(strata):
        chosen = np.flatnonzero(strata == stratum)
        draws = rng.integers(len(chosen), size=(n_samples, len(chosen)))
        draws += np.arange(n_samples)[:, None] * len(chosen)
        drawn = np.bincount(draws.ravel(), minlength=draws.size)
        counts[:, chosen] = drawn.reshape(draws.shape)
    return counts[:, member]


def evaluate(
    is_positive: np.ndarray,
    probability: np.ndarray,
    groups: np.ndarray,
    threshold: float,
    max_fpr: float,
    n_samples: int,
    random_state: int,
) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """Return each metric, and its 95% percentile bootstrap interval as ``low`` and ``high``.

    The parameters are those of ``weighted_metrics`` and ``resample_groups``.

    Raises
    ------
    ValueError
        If a class has no row.
    """
    if is_positive.all() or not is_positive.any():
        raise ValueError("all rows have one label, so there is nothing to evaluate: add the other")
    once = np.ones((1, len(is_positive)))
    values = weighted_metrics(is_positive, probability, once, threshold, max_fpr)
    rng = np.random.default_rng(random_state)
    blocks = []
    for start in range(0, n_samples, BLOCK_SAMPLES):
        n_block = min(BLOCK_SAMPLES, n_samples - start)
        weights = resample_groups(is_positive, groups, n_block, rng)
        blocks.append(weighted_metrics(is_positive, probability, weights, threshold, max_fpr))
    samples = {name: np.concatenate([block[name] for block in blocks]) for name in values}
    tails = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]
    intervals = {name: np.quantile(sample, tails) for name, sample in samples.items()}
    # Rounded: the last digits of a sum depend on the processor.
    return (
        {name: round(float(value[0]), 6) for name, value in values.items()},
        {
            name: {"low": round(float(low), 6), "high": round(float(high), 6)}
            for name, (low, high) in intervals.items()
        },
    )


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
