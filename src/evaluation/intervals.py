"""Confidence intervals of metrics: bootstrap over groups, exact if no error was observed."""

from collections.abc import Callable

import numpy as np

from evaluation.metrics import metrics_of_counts

CONFIDENCE = 0.95
# Bootstrap samples to compute at a time, so that they fit in the processor's cache.
BLOCK_SAMPLES = 50


def resample_groups(
    is_positive: np.ndarray, groups: np.ndarray, n_samples: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw bootstrap samples of whole groups, stratified by class, as weights of the rows.

    Groups with both classes are a stratum too, so every sample has rows of both classes. Rows of
    one group are not independent, so sampling single rows would make intervals too narrow.

    Parameters
    ----------
    is_positive : ndarray of bool, shape (n_rows,)
        The true class of each row.
    groups : ndarray of int, shape (n_rows,)
        Group numbers.
    n_samples : int
        How many samples to draw.
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray of int, shape (n_samples, n_rows)
        How many times each row occurs in each sample.

    References
    ----------
    A. C. Davison, D. V. Hinkley. Bootstrap Methods and their Application, section 3.8. Cambridge
    University Press 1997.
    """
    return draw(*find_strata(is_positive.astype(int), groups), n_samples, rng)


def find_strata(classes: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the stratum of each group, and each row's group as a number from 0.

    Groups that hold the same classes are a stratum, so every sample has rows of every class.

    Parameters
    ----------
    classes : ndarray of int, shape (n_rows,)
        The class of each row, from 0; all 0 for one stratum.
    groups : ndarray of int, shape (n_rows,)
        Group numbers.
    """
    _, member = np.unique(groups, return_inverse=True)
    # Strata are in the order of the last class first, in which the random numbers are drawn.
    has_class = np.column_stack(
        [np.bincount(member, weights=classes == k) > 0 for k in range(classes.max() + 1)]
    )
    _, strata = np.unique(has_class, axis=0, return_inverse=True)
    return strata.reshape(-1), member


def draw(
    strata: np.ndarray, member: np.ndarray, n_samples: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw samples of whole groups from each stratum, as weights of the rows."""
    counts = np.zeros((n_samples, len(strata)), np.int64)
    for stratum in np.unique(strata):
        chosen = np.flatnonzero(strata == stratum)
        draws = rng.integers(len(chosen), size=(n_samples, len(chosen)))
        draws += np.arange(n_samples)[:, None] * len(chosen)
        drawn = np.bincount(draws.ravel(), minlength=draws.size)
        counts[:, chosen] = drawn.reshape(draws.shape)
    return counts[:, member]


def find_exact_intervals(
    values: dict[str, float],
    is_positive: np.ndarray,
    probability: np.ndarray,
    groups: np.ndarray,
    threshold: float,
) -> dict[str, tuple[float, float]]:
    """Return exact intervals of metrics for which the data has no errors, or only errors.

    Parameters
    ----------
    values : dict of str to float
        The metrics, not rounded.
    is_positive, probability, groups, threshold
        The data that the metrics were computed from, as for ``weighted_metrics``.

    Returns
    -------
    dict of str to tuple of float
        Low and high end. Metrics with both errors and successes are left out.
    """
    every = np.ones(len(groups), bool)
    counted = {
        "accuracy": every,
        "precision": probability >= threshold,
        "recall": is_positive,
        # The mean of losses from 0 to 1 is at most the share of rows with a loss.
        "brier_score": every,
        "fpr": ~is_positive,
        # Its threshold depends only on the negatives, so the positives are an unbiased sample.
        "recall_at_max_fpr": is_positive,
    }
    rates = {
        name: bound_rate(values[name], len(np.unique(groups[rows])))
        for name, rows in counted.items()
        if values[name] in (0, 1)
    }
    return rates | bound_scores(rates, is_positive) | bound_areas(is_positive, probability, groups)


def bound_rate(value: float, n_groups: int) -> tuple[float, float]:
    """Return the Clopper-Pearson interval of a rate that is 0, or 1, in all ``n_groups`` groups.

    The groups are the independent observations. This assumes that whether a group has errors does
    not depend on its size.

    References
    ----------
    C. J. Clopper, E. S. Pearson. The use of confidence or fiducial limits illustrated in the case
    of the binomial. Biometrika 26(4), 1934.
    """
    if n_groups == 0:
        return 0.0, 1.0
    bound = ((1 - CONFIDENCE) / 2) ** (1 / n_groups)
    return (bound, 1.0) if value else (0.0, 1 - bound)


def measure_rates(
    flags: np.ndarray, rows: np.ndarray, groups: np.ndarray, weights: np.ndarray
) -> list[dict[str, float]]:
    """Return how often each of several flags is set, and the 95% interval of that rate.

    It is the percentile bootstrap interval, widened to the exact one for a rate of 0 or 1.

    Parameters
    ----------
    flags : ndarray of bool, shape (n_flags, n_rows)
        What may be set.
    rows : ndarray of bool, shape (n_rows,)
        The rows that count, at least one.
    groups : ndarray of int, shape (n_rows,)
        Group numbers.
    weights : ndarray of int, shape (n_samples, n_rows)
        What ``resample_groups`` returned.

    Returns
    -------
    list of dict
        ``rate``, ``low`` and ``high`` of each flag.
    """
    flags, weights = flags[:, rows].astype(float), weights[:, rows].astype(float)
    samples = weights @ flags.T / weights.sum(axis=1, keepdims=True)
    lows, highs = np.quantile(samples, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=0)
    found = []
    for rate, low, high in zip(flags.mean(axis=1), lows, highs, strict=True):
        if rate in (0, 1):
            least, most = bound_rate(rate, len(np.unique(groups[rows])))
            low, high = min(low, least), max(high, most)
        ends = {"rate": rate, "low": low, "high": high}
        found.append({name: round(float(value), 6) for name, value in ends.items()})
    return found


def bound_scores(
    rates: dict[str, tuple[float, float]], is_positive: np.ndarray
) -> dict[str, tuple[float, float]]:
    """Return the intervals of F1 and MCC that follow from the exact ones of recall and ``fpr``.

    Both scores rise with recall and fall with the false-positive rate. Each rate is outside its
    interval with a probability of at most 2.5%, so both rates are inside with a probability of at
    least 95% (Bonferroni).
    """
    if "recall" not in rates:
        return {}
    recall, fpr = np.array(rates["recall"]), np.array(rates.get("fpr", (0, 1)))
    positives, negatives = is_positive.sum(), (~is_positive).sum()
    ends = metrics_of_counts(recall * positives, fpr[::-1] * negatives, positives, negatives)
    # At a recall of 0, F1 is 0 for every false-positive rate.
    names = ("f1", "mcc") if "fpr" in rates else ("f1",) if recall[0] == 0 else ()
    return {name: (float(ends[name][0]), float(ends[name][1])) for name in names}


def bound_areas(
    is_positive: np.ndarray, probability: np.ndarray, groups: np.ndarray
) -> dict[str, tuple[float, float]]:
    """Return the intervals of areas under curves if the probabilities separate the classes.

    Then all positives are above the highest negative. The share of new negatives above that
    probability is bounded like an ``fpr`` of 0 (Wilks), and that of new positives like a recall of
    1. Both bounds hold with a probability of at least 95% (Bonferroni).

    References
    ----------
    S. S. Wilks. Determination of sample sizes for setting tolerance limits. Annals of Mathematical
    Statistics 12(1), 1941.
    """
    positive, negative = probability[is_positive], probability[~is_positive]
    recall, _ = bound_rate(1, len(np.unique(groups[is_positive])))
    _, fpr = bound_rate(0, len(np.unique(groups[~is_positive])))
    lowest = find_lowest_areas(recall, fpr, len(negative) / len(positive))
    if positive.min() > negative.max():
        return {name: (low, 1.0) for name, low in lowest.items()}
    if positive.max() < negative.min():
        return {"roc_auc": (0.0, 1 - lowest["roc_auc"])}
    return {}


def find_lowest_areas(recall: float, fpr: float, negatives_per_positive: float) -> dict[str, float]:
    """Return the lowest areas under curves that have this recall at this ``fpr`` (above 0).

    The lowest ROC curve through that point ranks all its false positives before the first true
    positive. The lowest ROC curve also gives the lowest precision-recall curve.

    References
    ----------
    J. Davis, M. Goadrich. The relationship between precision-recall and ROC curves. ICML 2006.
    """
    odds = fpr * negatives_per_positive
    return {
        "roc_auc": recall * (1 - fpr),
        "average_precision": recall - odds * float(np.log1p(recall / odds)),
    }


def bootstrap(
    measure: Callable[[np.ndarray], dict[str, np.ndarray]],
    classes: np.ndarray,
    groups: np.ndarray,
    n_samples: int,
    random_state: int,
) -> dict[str, np.ndarray]:
    """Return each metric of each bootstrap sample, shape (n_samples,).

    Equal classes, groups and seed give the same samples of rows, so two models can be compared in
    pairs.

    Parameters
    ----------
    measure : callable
        Returns the metrics for weights of the rows, shape (n_weightings, n_rows).
    classes, groups : ndarray
        As for ``find_strata``.
    n_samples, random_state : int
        How many samples, and their seed.
    """
    rng = np.random.default_rng(random_state)
    strata, member = find_strata(classes, groups)
    blocks = []
    for start in range(0, n_samples, BLOCK_SAMPLES):
        n_block = min(BLOCK_SAMPLES, n_samples - start)
        blocks.append(measure(draw(strata, member, n_block, rng)))
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def find_interval(sample: np.ndarray) -> tuple[float, float]:
    """Return the percentile interval of a bootstrapped metric.

    Samples in which the metric is not defined do not count; it is NaN if all of them are such.
    """
    defined = sample[np.isfinite(sample)]
    if not len(defined):
        return np.nan, np.nan
    low, high = np.quantile(defined, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)
