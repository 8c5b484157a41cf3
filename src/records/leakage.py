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
MIN_LABEL_ROWS = 5
# From this share of different values on, a category is almost unique.
ALMOST_UNIQUE = 0.9
# Numbers are divided into intervals of at least this many rows, at most so many intervals.
INTERVAL_ROWS = 10
MAX_INTERVALS = 1000
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
    for column in [column for column in schema.text if column in features]:
        if has_classes:
            yield from find_labels(column, rows[column], target, max_score)
    if len(rows) < MIN_ROWS:
        return
    rest = [column for column in features if column not in schema.text]
    for column in rest:
        values = rows[column]
        if share := measure_equal(values, target, max_score):
            yield column, f"column {column!r} is a copy of the target in {share:.1%} of the rows"
        name, score = score_column(values, target)
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

    On a half of the rows the mean target of each value, or of each interval of numbers, is
    computed; the score is measured on the other half. Missing values count as a value.
    """
    order = np.random.default_rng(0).permutation(len(target))
    fitted, measured = order[::2], order[1::2]
    numbers = None if values.dtype == "str" else to_numbers(values)
    codes = values.factorize()[0] if numbers is None else number_intervals(numbers, fitted)
    codes = np.where(codes < 0, codes.max() + 1, codes)
    if not isinstance(target.dtype, pd.CategoricalDtype):
        y = target.to_numpy()
        score = score_means(codes, y, fitted, measured)
        if numbers is not None:
            score = max(score, score_line(numbers, y, fitted, measured))
        return "R2", score
    y = target.cat.codes.to_numpy(int)
    counts = np.bincount(y[measured], minlength=len(target.cat.categories))
    frequent = np.flatnonzero(counts >= MIN_LABEL_ROWS)
    if len(frequent) < 2:
        return "", 0.0
    shares = average(codes, np.eye(len(target.cat.categories))[y], fitted)
    if len(target.cat.categories) == 2:
        return "ROC AUC", measure_auc(shares[codes[measured], 1], y[measured] == 1)
    # With frequent and rare labels alike, as in balanced accuracy.
    weights = np.bincount(y[fitted], minlength=shares.shape[1])
    predicted = (shares / np.maximum(weights, 1)).argmax(axis=1)[codes[measured]]
    hits = [mean(predicted[y[measured] == label] == label) for label in frequent]
    return "balanced accuracy", float(np.mean(hits))


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
    columns = y[fitted].reshape(len(fitted), -1)
    sums = [np.bincount(codes[fitted], column, minlength=n_codes) for column in columns.T]
    means = np.column_stack(sums) / np.maximum(counts, 1)[:, None]
    means[counts == 0] = columns.mean(axis=0)
    return means


def measure_r2(predicted: np.ndarray, y: np.ndarray) -> float:
    """Return the coefficient of determination, 0 if the target is constant."""
    total = ((y - y.mean()) ** 2).sum()
    return float(1 - ((y - predicted) ** 2).sum() / total) if total > 0 else 0.0


def score_means(
    codes: np.ndarray, y: np.ndarray, fitted: np.ndarray, measured: np.ndarray
) -> float:
    """Return the R2 of the mean of each value."""
    return measure_r2(average(codes, y, fitted)[codes[measured], 0], y[measured])


def score_line(
    numbers: np.ndarray, y: np.ndarray, fitted: np.ndarray, measured: np.ndarray
) -> float:
    """Return the R2 of a straight line, which finds copies in other units; the mean if missing."""
    known = fitted[~np.isnan(numbers[fitted])]
    if len(known) < MIN_ROWS // 2 or np.ptp(numbers[known]) == 0:
        return 0.0
    centre = numbers[known].mean()
    deviation = numbers[known] - centre
    slope = (deviation * (y[known] - y[known].mean())).sum() / (deviation**2).sum()
    line = y[known].mean() + slope * (numbers[measured] - centre)
    return measure_r2(np.where(np.isnan(line), y[fitted].mean(), line), y[measured])


def measure_auc(scores: np.ndarray, is_positive: np.ndarray) -> float:
    """Return the area under the ROC curve."""
    n_positive = int(is_positive.sum())
    n_negative = len(scores) - n_positive
    ranks = pd.Series(scores).rank().to_numpy()[is_positive].sum()
    return float((ranks - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))
