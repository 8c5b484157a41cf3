"""What is different for each task: binary and multi-class classification, regression.

Nothing else in the pipeline asks which task it is: it asks the object of the task.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.errors import UserError
from records.schema import Schema

# More labels than this, and than half of the rows, are no labels.
MANY_CLASSES = 50
# By how many intervals of equal frequency a number is stratified.
N_STRATA = 10

# Returns the numbers that the target's values are, and which rows have a reason for rejection.
ParseNumbers = Callable[[], tuple[pd.Series, list[tuple[str, np.ndarray]]]]


@dataclass(frozen=True)
class Task:
    """What a task needs at each stage.

    Attributes
    ----------
    name : str
        Its name in ``schema.task``.
    check_target : callable
        Takes target values as text (missing ones are NaN), the schema and a function that parses
        them as numbers; returns the typed values and the reason for which each is rejected, '' if
        it is not.
    stratify : callable
        Returns the number of each row's stratum, from typed target values, shape (n_rows,).
    describe : callable
        Returns a summary of typed target values, for reports.
    has_classes : bool
        Whether the target is a label; otherwise it is a number.
    scores : tuple of str
        The scores by which candidates may be compared, of ``models.scorers``, the usual one first.
    baseline : str
        The strategy of scikit-learn's dummy estimator to compare with.
    """

    name: str
    check_target: Callable[[pd.Series, Schema, ParseNumbers], tuple[pd.Series, pd.Series]]
    stratify: Callable[[pd.Series], np.ndarray]
    describe: Callable[[pd.Series], dict]
    has_classes: bool
    scores: tuple[str, ...]
    baseline: str


def check_labels(values: pd.Series, schema: Schema, _: ParseNumbers) -> tuple[pd.Series, pd.Series]:
    """Turn labels into a category; blanks around a label do not count.

    Without ``schema.labels`` every label is allowed, and the categories are sorted.
    """
    stripped = values.str.strip()
    classes = schema.classes or sorted(stripped[stripped != ""].dropna().unique())
    if not schema.classes and len(classes) > max(MANY_CLASSES, len(values) // 2):
        raise UserError(
            f"task {schema.task} does not fit the target {schema.target!r}: it has "
            f"{len(classes)} different values in {len(values)} rows",
            "name another target, or set schema.task to regression if it is a number",
        )
    # A label that really has blanks around it stays as it is.
    values = values.where(values.isin(classes), stripped)
    is_known = values.isin(classes)
    reasons = pd.Series("", values.index)
    reasons[~is_known] = "unknown label"
    reasons[values.isna() | (stripped == "")] = "missing target"
    labels = pd.Categorical(values.where(is_known), categories=classes)
    return pd.Series(labels, values.index), reasons


def check_numbers(
    values: pd.Series, schema: Schema, parse: ParseNumbers
) -> tuple[pd.Series, pd.Series]:
    """Turn the target into float64; it must be finite."""
    is_missing = values.isna().to_numpy()
    numbers, problems = parse()
    reasons = pd.Series("", values.index)
    for reason, has_it in problems:
        reasons[has_it] = reason
    reasons[is_missing] = "missing target"
    is_other = numbers.isna().to_numpy() & ~is_missing
    if is_other.sum() > 0.5 * (~is_missing).sum():
        shown = repr(values[is_other].iloc[0])
        raise UserError(
            f"task {schema.task} does not fit the target {schema.target!r}: it is not a finite "
            f"number in {is_other.sum()} of {len(values)} rows, such as {shown}",
            "set schema.task to binary or multiclass, or correct decimal, thousands and "
            "number_signs of data_validation",
        )
    return numbers, reasons


def number_labels(values: pd.Series) -> np.ndarray:
    """Return the number of each row's label."""
    return values.cat.codes.to_numpy(int)


def number_intervals(values: pd.Series) -> np.ndarray:
    """Return the number of each row's interval, of intervals that hold equally many rows."""
    order = values.rank(method="average", pct=True).to_numpy()
    return np.minimum((order * N_STRATA).astype(int), N_STRATA - 1)


def count_labels(values: pd.Series) -> dict:
    """Return how many rows have each label."""
    return {"labels": {label: int(n) for label, n in values.value_counts(sort=False).items()}}


def describe_numbers(values: pd.Series) -> dict:
    """Return quantiles, mean and standard deviation."""
    quantiles = {f"q{100 * q:g}": float(values.quantile(q)) for q in (0, 0.25, 0.5, 0.75, 1)}
    return {"target": {**quantiles, "mean": float(values.mean()), "std": float(values.std(ddof=1))}}


TASKS = {
    task.name: task
    for task in (
        Task(
            name="binary",
            check_target=check_labels,
            stratify=number_labels,
            describe=count_labels,
            has_classes=True,
            scores=(
                "matthews_corrcoef",
                "accuracy",
                "average_precision",
                "balanced_accuracy",
                "f1",
                "neg_log_loss",
                "precision",
                "recall",
                "roc_auc",
            ),
            baseline="prior",
        ),
        Task(
            name="multiclass",
            check_target=check_labels,
            stratify=number_labels,
            describe=count_labels,
            has_classes=True,
            scores=(
                "matthews_corrcoef",
                "accuracy",
                "balanced_accuracy",
                "f1_macro",
                "neg_log_loss",
                "roc_auc_ovr",
            ),
            baseline="prior",
        ),
        Task(
            name="regression",
            check_target=check_numbers,
            stratify=number_intervals,
            describe=describe_numbers,
            has_classes=False,
            scores=(
                "r2",
                "neg_mean_absolute_error",
                "neg_root_mean_squared_error",
                "neg_median_absolute_error",
            ),
            baseline="mean",
        ),
    )
}
