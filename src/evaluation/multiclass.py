"""Evaluate a model of several labels."""

from typing import Any

import numpy as np
import pandas as pd
from dvclive import Live
from matplotlib.figure import Figure
from sklearn.base import BaseEstimator
from sklearn.metrics import roc_curve

from core.errors import UserError
from evaluation import figures
from evaluation.intervals import bound_rate
from evaluation.multiclass_metrics import (
    weigh_calibration,
    weigh_confusion,
    weigh_labels,
    weighted_multiclass_metrics,
)
from evaluation.report import Report, Section, tabulate_by
from evaluation.scores import Evaluation, EvaluationParams, Scored, estimate
from evaluation.worst_rows import show_rows
from models.probability import DECIMALS
from records.schema import Schema

BY_LABEL = ("precision", "recall", "f1")


def name_predictions(labels: list[str]) -> list[str]:
    """Return the columns of the probabilities of all labels."""
    return [f"probability_{label}" for label in labels]


def read_target(target: pd.Series) -> np.ndarray:
    """Return the number of each row's label."""
    return target.cat.codes.to_numpy(int)


def predict(estimator: BaseEstimator, X: Any, labels: list[str]) -> np.ndarray:
    """Return the probability of each label, shape (n_rows, n_labels), rounded."""
    order = [list(estimator.classes_).index(label) for label in labels]
    return estimator.predict_proba(X)[:, order].astype(float).round(DECIMALS)


def number_classes(actual: np.ndarray) -> np.ndarray:
    """Return the number of each row's label."""
    return actual


def tidy(value: float) -> float:
    """Round to six decimals."""
    return round(float(value), 6)


def check(scored: Scored) -> None:
    """Raise ``UserError`` if all rows have one label."""
    if len(np.unique(scored.actual)) < 2:
        raise UserError("all rows have one label, so nothing can be evaluated", "add others")


def weigh(scored: Scored, weights: np.ndarray, _: EvaluationParams) -> dict[str, np.ndarray]:
    """Return every metric for each weighting of the rows."""
    return weighted_multiclass_metrics(scored.actual, scored.predicted, weights)


def bound(
    scored: Scored, metrics: dict[str, float], _: EvaluationParams
) -> dict[str, tuple[float, float]]:
    """Return the exact interval of the accuracy, if no row is wrong or none is right."""
    if metrics["accuracy"] not in (0, 1):
        return {}
    return {"accuracy": bound_rate(metrics["accuracy"], len(np.unique(scored.groups)))}


def read_points(*_: object) -> None:
    """Return nothing: a label is predicted without a threshold."""


def measure_more(test: Scored, _: None, params: EvaluationParams) -> tuple[dict, dict]:
    """Return precision, recall, F1 and number of rows of each label, and their intervals."""
    names = [(label, name) for name in BY_LABEL for label in test.labels]

    def weigh_each(weights: np.ndarray) -> dict[str, np.ndarray]:
        found = weigh_labels(weigh_confusion(test.actual, test.predicted, weights))
        columns = np.column_stack([found[name] for name in BY_LABEL])
        return {str(i): column for i, column in enumerate(columns.T)}

    def bound_each(metrics: dict[str, float]) -> dict[str, tuple[float, float]]:
        chosen, exact = test.predicted.argmax(axis=1), {}
        for i, (label, name) in enumerate(names):
            # The rows whose share precision or recall is.
            labels = {"precision": chosen, "recall": test.actual}.get(name)
            if labels is not None and metrics.get(str(i)) in (0, 1):
                rows = labels == test.labels.index(label)
                exact[str(i)] = bound_rate(metrics[str(i)], len(np.unique(test.groups[rows])))
        return exact

    found = estimate(weigh_each, test.actual, test.groups, bound_each, tidy, params)
    counts = np.bincount(test.actual, minlength=len(test.labels))
    metrics: dict[str, dict] = {
        label: {"rows": int(n)} for label, n in zip(test.labels, counts, strict=True)
    }
    intervals: dict[str, dict] = {label: {} for label in test.labels}
    for i, (label, name) in enumerate(names):
        if str(i) in found.metrics:
            metrics[label][name] = found.metrics[str(i)]
            intervals[label][name] = found.intervals[str(i)]
    return {"labels": metrics}, {"labels": intervals}


def log_plots(live: Live, test: Scored, _: EvaluationParams) -> None:
    """Write the data of DVC's plots.

    ROC curve and precision by recall are of all pairs of a row and a label (micro-average), the
    calibration is of the most probable label.
    """
    is_label = (test.actual[:, None] == np.arange(len(test.labels))).astype(int)
    live.log_sklearn_plot("roc", is_label.ravel(), test.predicted.ravel())
    live.log_sklearn_plot("precision_recall", is_label.ravel(), test.predicted.ravel())
    chosen = test.predicted.argmax(axis=1)
    live.log_sklearn_plot(
        "calibration",
        (chosen == test.actual).astype(int),
        test.predicted.max(axis=1),
        n_bins=10,
        strategy="uniform",
    )
    actual, predicted = ([test.labels[i] for i in codes] for codes in (test.actual, chosen))
    live.log_sklearn_plot("confusion_matrix", actual, predicted)


def draw_figures(test: Scored, *_: object) -> dict[str, Figure]:
    """Draw the figures of the report."""
    once = np.ones((1, len(test.actual)))
    [counts] = weigh_confusion(test.actual, test.predicted, once).astype(int)
    bins = weigh_calibration(test.actual, test.predicted, once)
    has_rows = bins[0][0] > 0
    size, n_right, confidence = (values[0, has_rows] for values in bins)
    calibration, axes = figures.draw_curves(
        {
            "test": (confidence / size, n_right / size),
            "ideal": (np.array([0, 1]), np.array([0, 1])),
        },
        "Calibration of the predicted label",
        "predicted probability",
        "share of right predictions",
    )
    figures.as_percent(axes)
    curves = {}
    most_frequent = np.argsort(-counts.sum(axis=1), kind="stable")[: len(figures.LINES)]
    for k in sorted(most_frequent):
        if 0 < counts[k].sum() < counts.sum():
            fpr, tpr, _ = roc_curve(test.actual == k, test.predicted[:, k])
            curves[test.labels[k]] = (fpr, tpr)
    roc, axes = figures.draw_curves(
        curves, "ROC of each label against the others", "false-positive rate", "recall"
    )
    figures.as_percent(axes)
    return {
        "confusion_matrix": figures.draw_confusion(counts, test.labels),
        "roc": roc,
        "calibration": calibration,
    }


def find_errors(scored: Scored, schema: Schema, _: EvaluationParams) -> pd.DataFrame:
    """Return the rows that the model gets wrong, most confident first.

    Returns
    -------
    DataFrame
        ``row`` of the source, the target, ``predicted`` and its ``probability``, the
        ``probability of the target``, id columns and features.
    """
    chosen = scored.predicted.argmax(axis=1)
    wrong = np.flatnonzero(chosen != scored.actual)
    highest = scored.predicted[wrong, chosen[wrong]]
    order = wrong[np.argsort(-highest, kind="stable")]
    found = {
        "predicted": np.array(scored.labels, object)[chosen[order]],
        "probability": scored.predicted[order, chosen[order]],
        "probability of the target": scored.predicted[order, scored.actual[order]],
    }
    return show_rows(scored.df, order, schema, found)


def describe(metrics: dict, intervals: dict, _schema: Schema, errors: pd.DataFrame) -> Report:
    """Return what the report says first, of each label, and of errors."""
    found = metrics["test"]
    heading = f"{found['accuracy']:.1%} of rows right, macro F1 {found['macro_f1']:.3f}"
    table = tabulate_by("label", metrics["labels"], intervals["labels"], BY_LABEL)
    text = (
        f"The {len(errors):,} rows of the test set that the model classifies wrongly, most "
        "confident first."
    )
    return Report(heading, [], [Section("Labels", "", table), Section("Errors", text)])


EVALUATION = Evaluation(
    primary="macro_f1",
    importance="log_loss",
    shown=("accuracy", "macro_f1", "mcc", "log_loss"),
    predict_options=("--all-probabilities",),
    name_predictions=name_predictions,
    read_target=read_target,
    predict=predict,
    number_classes=number_classes,
    tidy=tidy,
    check=check,
    weigh=weigh,
    bound=bound,
    read_points=read_points,
    measure_more=measure_more,
    log_plots=log_plots,
    draw_figures=draw_figures,
    find_errors=find_errors,
    describe=describe,
)
