"""Compare new data with the test set, signal by signal, by tests that hold together at one level.

Each row counts as independent of the others. What is drift is both unlikely by chance and large
enough to matter: a large batch shows the smallest of differences.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy import stats

from core.errors import UserError
from monitoring.signals import UNSEEN, Signal, show_value

# The probability of any false alarm, over all tests together (Bonferroni).
LEVEL = 0.01
# Fewer rows show only coarse changes: see benchmarks/drift.py.
MIN_ROWS = 100
# Where probabilities of the positive label are cut into four.
BINS = (0.1, 0.5, 0.9)
# Groups of fewer expected rows are put together: the chi-squared test does not hold for them.
MIN_EXPECTED = 5
RARE = "(rare)"
# Below these, a difference is none. Of distributions and labels: how many of the rows are
# elsewhere; of a share: the difference; of a mean: in standard deviations.
MIN_DISTANCE = 0.05
MIN_MOVED = 0.02
MIN_SHARE = 0.01
MIN_DEVIATIONS = 0.1


@dataclass(frozen=True)
class Finding:
    """One test of one signal.

    Attributes
    ----------
    signal, what : str
        The signal, and what of it was compared.
    p_value : float
        How often chance alone would give such a difference or a larger one.
    effect, minimum : float
        The size of the difference, and that from which on it can be drift.
    change : str
        The difference in words.
    is_drift : bool
        Whether it is both significant, over all tests together, and large enough.
    """

    signal: str
    what: str
    p_value: float
    effect: float
    minimum: float
    change: str
    is_drift: bool = False


def find_drift(
    signals: Sequence[Signal], reference: pd.DataFrame, batch: pd.DataFrame
) -> list[Finding]:
    """Compare two tables of signals.

    Parameters
    ----------
    signals : sequence of Signal
        The signals; those that a table lacks are not compared.
    reference, batch : DataFrame of shape (n_rows, n_signals)
        As ``monitoring.signals.measure_signals`` returns them.

    Returns
    -------
    list of Finding
        In the order of the signals.

    Raises
    ------
    UserError
        If the batch has too few rows.
    """
    if len(batch) < MIN_ROWS:
        raise UserError(
            f"{len(batch)} rows are too few to see drift in them",
            f"collect {MIN_ROWS} or more",
        )
    found: list[Finding] = []
    for signal in signals:
        if signal.name in reference and signal.name in batch:
            found += compare_signal(signal, reference[signal.name], batch[signal.name])
    limit = LEVEL / max(len(found), 1)
    return [
        replace(each, is_drift=each.p_value < limit and each.effect >= each.minimum)
        for each in found
    ]


def compare_signal(signal: Signal, reference: pd.Series, batch: pd.Series) -> list[Finding]:
    """Return the tests of one signal."""
    name = signal.name
    found = [COMPARISONS[signal.kind](signal, reference.dropna(), batch.dropna())]

    def add(what: str, find: Callable[[pd.Series], np.ndarray]) -> None:
        found.append(compare_shares(name, what, find(reference), find(batch), MIN_SHARE))

    if signal.may_lack:
        add("missing", lambda values: values.isna().to_numpy())
    if signal.low is not None and signal.high is not None:
        low, high = signal.low, signal.high
        add("outside the training range", lambda values: find_outside(values, low, high))
    if signal.kind == "category":
        # Few such rows matter, but would hardly show among the shares of many values.
        add("never seen", lambda values: (values == UNSEEN).to_numpy(bool))
    return found


def find_outside(values: pd.Series, low: float, high: float) -> np.ndarray:
    """Return which values are outside a range; a missing one is not."""
    numbers = values.to_numpy(float)
    return (numbers < low) | (numbers > high)


def compare_numbers(signal: Signal, reference: pd.Series, batch: pd.Series) -> Finding:
    """Compare distributions by the Kolmogorov-Smirnov test, which is cautious about equal values.

    The effect is the largest distance between the distribution functions.
    """
    first, second = (np.sort(values.to_numpy(float)) for values in (reference, batch))
    if not len(first) or not len(second):
        return Finding(signal.name, "distribution", 1, 0, MIN_DISTANCE, "no values")
    both = np.concatenate([first, second])
    shares = [np.searchsorted(each, both, side="right") / len(each) for each in (first, second)]
    distance = float(np.abs(shares[0] - shares[1]).max())
    n_effective = round(len(first) * len(second) / (len(first) + len(second)))
    p_value = float(np.clip(stats.kstwo.sf(distance, max(n_effective, 1)), 0, 1))
    middles = [show_value(signal, float(np.median(each))) for each in (first, second)]
    change = f"median {middles[0]} to {middles[1]}"
    return Finding(signal.name, "distribution", p_value, distance, MIN_DISTANCE, change)


def compare_bins(signal: Signal, reference: pd.Series, batch: pd.Series) -> Finding:
    """Compare probabilities in four bins, by the chi-squared test."""
    edges = [0, *BINS, 1]
    names = np.array([f"{low:g} to {high:g}" for low, high in pairwise(edges)], object)
    binned = [pd.Series(names[np.digitize(each, BINS)]) for each in (reference, batch)]
    found = compare_values(signal, *binned)
    means = [f"{values.mean():.2%}" if len(values) else "none" for values in (reference, batch)]
    return replace(found, change=f"mean {means[0]} to {means[1]}")


def compare_values(signal: Signal, reference: pd.Series, batch: pd.Series) -> Finding:
    """Compare the shares of values by the chi-squared test.

    Rare values count as one. The effect is the share of rows that would have to change (total
    variation distance).
    """
    codes, names = pd.factorize(pd.concat([reference, batch], ignore_index=True), sort=True)
    sizes = np.array([len(reference), len(batch)])
    if not sizes.all():
        return Finding(signal.name, "shares", 1, 0, MIN_MOVED, "no values")
    parts = codes[: sizes[0]], codes[sizes[0] :]
    table = np.column_stack([np.bincount(part, minlength=len(names)) for part in parts])
    is_rare = table.sum(axis=1) * sizes.min() < MIN_EXPECTED * sizes.sum()
    if is_rare.any():
        names = names[~is_rare].append(pd.Index([RARE]))
        table = np.vstack([table[~is_rare], table[is_rare].sum(axis=0)])
    shares = table / sizes
    moves = np.abs(shares[:, 0] - shares[:, 1])
    place = int(moves.argmax())
    change = f"{names[place]}: {shares[place, 0]:.1%} to {shares[place, 1]:.1%}"
    return Finding(
        signal.name, "shares", test_counts(table), float(moves.sum() / 2), MIN_MOVED, change
    )


def test_counts(table: np.ndarray) -> float:
    """Return the p-value of counts, shape (n_groups, 2); small groups are put together."""
    expected = table.sum(axis=1) * table.sum(axis=0).min() / table.sum()
    order = np.argsort(expected, kind="stable")
    table = table[order]
    n_small = int((np.cumsum(expected[order]) < MIN_EXPECTED).sum()) + 1
    table = np.vstack([table[:n_small].sum(axis=0), table[n_small:]])
    if len(table) < 2:
        return 1.0
    if len(table) == 2:
        return float(stats.fisher_exact(table.astype(int)).pvalue)
    return float(stats.chi2_contingency(table, correction=False).pvalue)


def compare_flags(signal: Signal, reference: pd.Series, batch: pd.Series) -> Finding:
    """Compare how many rows have a property."""
    first, second = (values.to_numpy(bool) for values in (reference, batch))
    return compare_shares(signal.name, "share", first, second, MIN_MOVED)


def compare_shares(
    name: str, what: str, reference: np.ndarray, batch: np.ndarray, minimum: float
) -> Finding:
    """Compare the shares of rows that are true, by Fisher's exact test."""
    sizes = np.array([len(reference), len(batch)])
    n_true = np.array([int(reference.sum()), int(batch.sum())])
    first, second = n_true / np.maximum(sizes, 1)
    p_value = 1.0
    if first != second and sizes.all():
        p_value = float(stats.fisher_exact([n_true, sizes - n_true]).pvalue)
    change = f"{first:.2%} to {second:.2%}"
    return Finding(name, what, p_value, float(abs(first - second)), minimum, change)


def compare_means(signal: Signal, reference: pd.Series, batch: pd.Series) -> Finding:
    """Compare means by a z-test; the effect is their difference in standard deviations.

    The variance is that of both together: that of a small batch varies with its mean.
    """
    first, second = (values.to_numpy(float) for values in (reference, batch))
    means, sizes = [values.mean() for values in (first, second)], [len(first), len(second)]
    variance = np.average([values.var() for values in (first, second)], weights=sizes)
    difference = abs(means[0] - means[1])
    effect = float(difference / np.sqrt(variance)) if variance else float(difference > 0)
    # Without any variance, rows of a reference and of a batch that differ are all different.
    error = np.sqrt(1 / sizes[0] + 1 / sizes[1])
    p_value = float(2 * stats.norm.sf(effect / error)) if variance else 1 - effect
    change = f"mean {means[0]:.2%} to {means[1]:.2%}"
    return Finding(signal.name, "mean", p_value, effect, MIN_DEVIATIONS, change)


COMPARISONS: dict[str, Callable[[Signal, pd.Series, pd.Series], Finding]] = {
    "probability": compare_bins,
    "label": compare_values,
    "number": compare_numbers,
    "date": compare_numbers,
    "ordinal": compare_numbers,
    "category": compare_values,
    "share": compare_means,
    "flag": compare_flags,
}
