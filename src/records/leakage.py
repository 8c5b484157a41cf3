"""Find columns that give the target away, which a model could not have when it predicts."""

import re
from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pandas as pd

from core.errors import UserError
from records.schema import Schema
from records.tasks import TASKS
from records.validation_params import Leakage

# Fewer rows are too few to measure how well a column predicts.
MIN_ROWS = 50
MIN_LABEL_ROWS = 10
# From this share of different values on, a category is almost unique.
ALMOST_UNIQUE = 0.9
# Numbers are divided into intervals of at least this many rows, at most so many intervals.
INTERVAL_ROWS = 10
MAX_INTERVALS = 1000
# At most so many rows are scored, and so many values of a target with a column for each label.
SCORED_ROWS = 100_000
SCORED_VALUES = 10_000_000
# Rows that show that the sum of two columns is not the target, before all rows are compared.
SAMPLE_ROWS = 100
# The words of a column name.
WORD = re.compile(r"[^\W_]+")


def check_leakage(rows: pd.DataFrame, schema: Schema, leakage: Leakage) -> None:
    """Raise ``UserError`` if features that are not allowed to give the target away.

    Parameters
    ----------
    rows : DataFrame
        Valid rows: the target, the features with their types.
    schema : Schema
        What the columns are.
    leakage : Leakage
        The limit of a column's score, and the columns that may be above it.
    """
    features = [column for column in schema.features if column not in leakage.allow]
    found: dict[str, str] = {}
    for column, problem in find_leaks(rows, features, schema, leakage.max_score):
        found.setdefault(column, problem)
    if found:
        raise UserError(
            "; ".join(found.values()),
            "move such columns to schema.drop, or name those that are known when the model "
            "predicts in data_validation.leakage.allow",
        )


def find_leaks(
    rows: pd.DataFrame, features: list[str], schema: Schema, max_score: float
) -> Iterator[tuple[str, str]]:
    """Yield columns that give the target away, each with a sentence about it."""
    target = rows[schema.target]
    has_classes = TASKS[schema.task].has_classes
    n_labels = len(target.cat.categories) if has_classes else 1
    n_scored = min(len(rows), SCORED_ROWS, SCORED_VALUES // n_labels)
    sample = rows.sample(n_scored, random_state=0) if n_scored < len(rows) else rows
    for column in [column for column in schema.text if column in features]:
        if has_classes:
            yield from find_labels(column, sample[column], sample[schema.target], max_score)
    if len(rows) < MIN_ROWS:
        return
    rest = [column for column in features if column not in schema.text]
    for column in rest:
        values = rows[column]
        if share := measure_equal(values, target, max_score):
            yield column, f"column {column!r} is a copy of the target in {share:.1%} of the rows"
        name, score = score_column(sample[column], sample[schema.target])
        if score > max_score:
            yield (
                column,
                f"column {column!r} alone predicts the target almost perfectly ({name} {score:.4f} "
                f"on rows held out, above {max_score:g})",
            )
        if column in schema.category:
            n_distinct, n_present = values.nunique(), int(values.notna().sum())
            if n_present >= MIN_ROWS and n_distinct >= ALMOST_UNIQUE * n_present:
                yield (
                    column,
                    f"category {column!r} is almost unique, with {n_distinct} different values in "
                    f"{n_present} rows",
                )
    if not has_classes:
        numbers = [column for column in rest if column in schema.number]
        yield from find_sums(rows[numbers], target, max_score)


def find_labels(
    column: str, texts: pd.Series, target: pd.Series, max_score: float
) -> Iterator[tuple[str, str]]:
    """Find labels in a text column: its name, or the texts of almost all rows with that label."""
    words = [word.casefold() for word in WORD.findall(column)]
    for label in target.cat.categories:
        if not WORD.search(label):
            continue
        if label.casefold() in words and not label.isdigit():
            yield column, f"text column {column!r} has the label {label!r} in its name"
        if len(texts) < MIN_ROWS:
            continue
        has_label = (target == label).to_numpy()
        names_it = texts.str.contains(label, regex=False).to_numpy(bool)
        if mean(names_it[has_label]) < max_score:
            continue
        # As a word of its own: 'ham' does not stand in 'hammer'.
        word = re.compile(rf"(?<!\w){re.escape(label)}(?!\w)")
        names_it = np.array([word.search(text) is not None for text in texts], bool)
        share, others = mean(names_it[has_label]), mean(names_it[~has_label])
        if share >= max_score and others <= 1 - max_score:
            yield (
                column,
                f"text column {column!r} has the label {label!r} in {share:.1%} of the texts with "
                f"that label and in {others:.1%} of the others",
            )


def mean(is_so: np.ndarray) -> float:
    """Return the share of true values, 0 of none."""
    return float(is_so.mean()) if len(is_so) else 0.0


def measure_equal(values: pd.Series, target: pd.Series, max_score: float) -> float:
    """Return the share of rows in which a column equals the target, or 0 if it is not a copy."""
    if values.dtype != target.dtype and not isinstance(target.dtype, pd.CategoricalDtype):
        return 0.0
    if target.dtype == "float64":
        share = mean(np.isclose(values.to_numpy(), target.to_numpy(), rtol=1e-9))
    elif values.dtype == "float64":
        labels = pd.to_numeric(target.astype("str"), errors="coerce")
        share = mean(values.to_numpy() == labels.to_numpy())
    elif values.dtype == "str":
        share = mean((values == target.astype("str")).to_numpy(bool, na_value=False))
    else:
        return 0.0
    return share if share >= max_score else 0.0


def find_sums(
    numbers: pd.DataFrame, target: pd.Series, max_score: float
) -> Iterator[tuple[str, str]]:
    """Find pairs of columns whose sum equals the target."""
    columns = {name: numbers[name].to_numpy() for name in numbers}
    total = target.to_numpy()
    sample = np.linspace(0, len(total) - 1, min(SAMPLE_ROWS, len(total)), dtype=int)
    lowest = max(0.0, max_score - 0.1)
    for (name, values), (other, more) in combinations(columns.items(), 2):
        if mean(np.isclose(values[sample] + more[sample], total[sample])) < lowest:
            continue
        if (share := mean(np.isclose(values + more, total))) >= max_score:
            yield (
                f"{name} + {other}",
                f"the sum of columns {name!r} and {other!r} is the target in {share:.1%} of the "
                "rows",
            )


def score_column(values: pd.Series, target: pd.Series) -> tuple[str, float]:
    """Return how well a column alone predicts the target, and the name of that score.

    Each half of the rows is predicted from the other one: by the mean target of each value, of each
    interval of numbers, or between the nearest two numbers. Missing values count as a value.
    """
    order = np.random.default_rng(0).permutation(len(target))
    halves = order[::2], order[1::2]
    numbers = None if values.dtype == "str" else to_numbers(values)
    has_classes = isinstance(target.dtype, pd.CategoricalDtype)
    y = np.eye(len(target.cat.categories))[target.cat.codes] if has_classes else target.to_numpy()
    y = y.reshape(len(target), -1)
    # Labels count alike, frequent or rare, as in balanced accuracy.
    weights = 1 / np.maximum(y.sum(axis=0), 1) if has_classes else np.ones(1)
    by_value, between = np.empty_like(y), np.empty_like(y)
    for fitted, measured in (halves, halves[::-1]):
        codes = values.factorize()[0] if numbers is None else number_intervals(numbers, fitted)
        codes = np.where(codes < 0, codes.max() + 1, codes)
        by_value[measured] = average(codes, y, fitted)[codes[measured]]
        if numbers is not None:
            between[measured] = interpolate(numbers, y, fitted, measured)
    predictions = [by_value] if numbers is None else [by_value, between]
    measure = measure_r2
    if has_classes:
        measure = measure_auc if y.shape[1] == 2 else measure_balanced_accuracy
    return NAMES[measure], max(measure(predicted * weights, y) for predicted in predictions)


def to_numbers(values: pd.Series) -> np.ndarray:
    """Return numbers or dates as float64, NaN for missing ones."""
    if values.dtype == "float64":
        return values.to_numpy()
    return values.astype("int64").to_numpy("float64") * np.where(values.isna(), np.nan, 1)


def number_intervals(numbers: np.ndarray, fitted: np.ndarray) -> np.ndarray:
    """Return the interval of each number, -1 if it is missing; intervals hold equally many rows."""
    known = numbers[fitted][~np.isnan(numbers[fitted])]
    n_intervals = int(np.clip(len(known) // INTERVAL_ROWS, 2, MAX_INTERVALS))
    edges = np.unique(known)
    if len(edges) > n_intervals:
        edges = np.unique(np.quantile(known, np.linspace(0, 1, n_intervals + 1)[:-1]))
    codes = np.searchsorted(edges, numbers, side="right")
    return np.where(np.isnan(numbers), -1, codes)


def average(codes: np.ndarray, y: np.ndarray, fitted: np.ndarray) -> np.ndarray:
    """Return the mean target of each value in the fitted rows; of values without rows, of all."""
    n_codes = codes.max() + 1
    counts = np.bincount(codes[fitted], minlength=n_codes)
    sums = [np.bincount(codes[fitted], column, minlength=n_codes) for column in y[fitted].T]
    means = np.column_stack(sums) / np.maximum(counts, 1)[:, None]
    means[counts == 0] = y[fitted].mean(axis=0)
    return means


def interpolate(
    numbers: np.ndarray, y: np.ndarray, fitted: np.ndarray, measured: np.ndarray
) -> np.ndarray:
    """Return the target between the nearest fitted numbers; where they are missing, the mean."""
    is_known = ~np.isnan(numbers[fitted])
    if not is_known.any():
        return np.broadcast_to(y[fitted].mean(axis=0), (len(measured), y.shape[1]))
    known, places = np.unique(numbers[fitted][is_known], return_inverse=True)
    means = average(places, y[fitted][is_known], np.arange(len(places)))
    columns = [np.interp(numbers[measured], known, column) for column in means.T]
    is_missing = np.isnan(numbers)
    absent = y[fitted][~is_known] if not is_known.all() else y[fitted]
    return np.where(is_missing[measured, None], absent.mean(axis=0), np.column_stack(columns))


def measure_r2(predicted: np.ndarray, y: np.ndarray) -> float:
    """Return the coefficient of determination, 0 if the target is constant."""
    total = ((y - y.mean()) ** 2).sum()
    return float(1 - ((y - predicted) ** 2).sum() / total) if total > 0 else 0.0


def measure_balanced_accuracy(predicted: np.ndarray, y: np.ndarray) -> float:
    """Return the mean share of correct predictions over the labels that are not rare."""
    is_right = predicted.argmax(axis=1) == y.argmax(axis=1)
    hits = [mean(is_right[column > 0]) for column in y.T if column.sum() >= MIN_LABEL_ROWS]
    return float(np.mean(hits)) if len(hits) > 1 else 0.0


def measure_auc(predicted: np.ndarray, y: np.ndarray) -> float:
    """Return the area under the ROC curve of the second label, 0 if a label is rare."""
    is_positive = y[:, 1] > 0
    n_positive = int(is_positive.sum())
    n_negative = len(y) - n_positive
    if min(n_positive, n_negative) < MIN_LABEL_ROWS:
        return 0.0
    ranks = pd.Series(predicted[:, 1]).rank().to_numpy()[is_positive].sum()
    return float((ranks - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


NAMES = {
    measure_r2: "R2",
    measure_balanced_accuracy: "balanced accuracy",
    measure_auc: "ROC AUC",
}
