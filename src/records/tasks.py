"""What is different for each task: binary and multi-class classification, regression.

Nothing else in the pipeline asks which task it is: it asks the object of the task.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from records.schema import Schema

# By how many intervals of equal frequency a number is stratified.
N_STRATA = 10


@dataclass(frozen=True)
class Task:
    """What a task needs at each stage.

    Attributes
    ----------
    name : str
        Its name in ``schema.task``.
    check_target : callable
        Takes target values as text (missing ones are NaN) and the schema; returns the typed values
        and the reason for which each is rejected, '' if it is not.
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
    check_target: Callable[[pd.Series, Schema], tuple[pd.Series, pd.Series]]
    stratify: Callable[[pd.Series], np.ndarray]
    describe: Callable[[pd.Series], dict]
    has_classes: bool
    scores: tuple[str, ...]
    baseline: str


def check_labels(values: pd.Series, schema: Schema) -> tuple[pd.Series, pd.Series]:
    """Turn labels into a category; blanks around a label do not count.

    Without ``schema.labels`` every label is allowed, and the categories are sorted.
    """
    stripped = values.str.strip()
    classes = schema.classes or sorted(stripped[stripped != ""].dropna().unique())
    # A label that really has blanks around it stays as it is.
    values = values.where(values.isin(classes), stripped)
    reasons = pd.Series("", values.index)
    reasons[~values.isin(classes)] = "unknown label"
    reasons[values.isna() | (stripped == "")] = "missing target"
    return pd.Series(pd.Categorical(values, categories=classes), values.index), reasons


def check_numbers(values: pd.Series, _: Schema) -> tuple[pd.Series, pd.Series]:
    """Turn the target into float64; it must be finite."""
    numbers = pd.to_numeric(values, errors="coerce").astype("float64")
    reasons = pd.Series("", values.index)
    reasons[~np.isfinite(numbers)] = "target is not a finite number"
    reasons[values.isna() | (values.astype("str").str.strip() == "")] = "missing target"
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
