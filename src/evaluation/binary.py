"""Evaluate a model of two labels."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from dvclive import Live
from matplotlib.figure import Figure
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from core.errors import UserError
from evaluation import plots
from evaluation.intervals import find_exact_intervals
from evaluation.metrics import weighted_metrics
from evaluation.report import MESSAGE, NAME, NUMBER, Cell, Report, Section, Table
from evaluation.scores import Evaluation, EvaluationParams, Scored, measure
from evaluation.worst_rows import show_rows
from models import threshold
from models.probability import predict_positive
from records.schema import Schema

logger = logging.getLogger(__name__)


def name_predictions(_: list[str]) -> list[str]:
    """Return the column of the probability of the positive label."""
    return ["probability"]


def read_target(target: pd.Series) -> np.ndarray:
    """Return which rows have the positive label."""
    return (target == target.cat.categories[1]).to_numpy(bool)


def predict(estimator: BaseEstimator, X: Any, labels: list[str]) -> np.ndarray:
    """Return the probability of the positive label, shape (n_rows,)."""
    return predict_positive(estimator, labels[1], X)


def number_classes(actual: np.ndarray) -> np.ndarray:
    """Return 1 for the positive label, 0 for the negative one."""
    return actual.astype(int)


def tidy(value: float) -> float:
    """Round to six decimals."""
    return round(float(value), 6)


def check(scored: Scored) -> None:
    """Raise ``UserError`` if all rows have one label."""
    if scored.actual.all() or not scored.actual.any():
        raise UserError("all rows have one label, so nothing can be evaluated", "add the other")


def weigh(scored: Scored, weights: np.ndarray, params: EvaluationParams) -> dict[str, np.ndarray]:
    """Return every metric for each weighting of the rows.

    Recall and false-positive rate also have the names of the literature on spam filters.
    """
    found = weighted_metrics(
        scored.actual, scored.predicted, weights, params.threshold, params.max_fpr
    )
    negative, positive = scored.labels
    fpr = found.pop("fpr")
    return {**found, f"{positive}_caught": found["recall"], f"{negative}_blocked": fpr}


def bound(
    scored: Scored, values: dict[str, float], params: EvaluationParams
) -> dict[str, tuple[float, float]]:
    """Return exact intervals of metrics for which the data has no errors, or only errors."""
    negative, positive = scored.labels
    blocked, caught = f"{negative}_blocked", f"{positive}_caught"
    if scored.actual.all() or not scored.actual.any():
        return {}
    found = find_exact_intervals(
        {**values, "fpr": values[blocked]},
        scored.actual,
        scored.predicted,
        scored.groups,
        params.threshold,
    )
    renamed = {"fpr": [blocked], "recall": ["recall", caught]}
    return {name: ends for key, ends in found.items() for name in renamed.get(key, [key])}


def compute_metrics(
    df: pd.DataFrame, labels: list[str], params: EvaluationParams
) -> tuple[dict, dict]:
    """Return the metrics of scored rows, and the interval of each.

    Parameters
    ----------
    df : DataFrame of shape (n_rows, n_columns)
        ``is_positive``, ``probability``, ``group``.
    labels : list of str
        The negative and the positive label.
    params : EvaluationParams
        Threshold, false-positive rate and bootstrap.
    """
    columns = (df[name].to_numpy() for name in ("is_positive", "probability"))
    scored = Scored(df, labels, *columns)
    check(scored)
    found = measure(EVALUATION, scored, params)
    return found.metrics, found.intervals


def read_points(path: Path, model: Path, sha256: str) -> list[threshold.OperatingPoint]:
    """Return the operating points of the model."""
    return threshold.read_points(path, model, sha256)


def measure_more(
    test: Scored, points: list[threshold.OperatingPoint], params: EvaluationParams
) -> tuple[dict, dict]:
    """Return recall and false-positive rate of the operating point, and no intervals.

    ``cv_recall`` and ``cv_fpr`` are out-of-fold values of the training set, ``recall`` and
    ``fpr`` those of the test set.
    """
    point = threshold.choose_operating_point(points, params.max_fpr)
    if point is None:
        logger.warning("no threshold has a false-positive rate of model_evaluation.max_fpr or less")
        return {"operating_point": {}}, {}
    is_found = test.predicted >= point.threshold
    found = {
        "threshold": point.threshold,
        "cv_recall": point.recall,
        "cv_fpr": point.fpr,
        "recall": tidy(is_found[test.actual].mean()),
        "fpr": tidy(is_found[~test.actual].mean()),
    }
    return {"operating_point": found}, {}


def log_plots(live: Live, test: Scored, params: EvaluationParams) -> None:
    """Write the data of DVC's plots."""
    plots.log_plots(live, test.actual, test.predicted, test.labels, params.threshold)


def draw_figures(
    test: Scored,
    model: Pipeline,
    X: sp.csr_matrix,
    schema: Schema,
    params: EvaluationParams,
) -> dict[str, Figure]:
    """Draw the figures of the report."""
    rows = "messages" if schema.is_messages else "rows"
    drawn = plots.draw_figures(test.actual, test.predicted, test.labels, params.threshold, rows)
    if schema.is_messages:
        drawn |= plots.draw_weights(model, X, test.actual, test.labels)
    return drawn


def find_errors(scored: Scored, schema: Schema, params: EvaluationParams) -> pd.DataFrame:
    """Return the rows that the model gets wrong, most confident first.

    Returns
    -------
    DataFrame
        ``row`` of the source, the target, ``predicted``, ``probability`` of the positive label,
        id columns and features.
    """
    is_predicted = scored.predicted >= params.threshold
    wrong = np.flatnonzero(is_predicted != scored.actual)
    distance = np.abs(scored.predicted[wrong] - params.threshold)
    order = wrong[np.argsort(-distance, kind="stable")]
    negative, positive = scored.labels
    found = {
        "predicted": np.where(is_predicted[order], positive, negative),
        "probability": scored.predicted[order],
    }
    return show_rows(scored.df, order, schema, found)


def describe(metrics: dict, _intervals: dict, schema: Schema, errors: pd.DataFrame) -> Report:
    """Return what the report says first, and of errors."""
    negative, positive = schema.classes
    found, sentences = metrics["test"], []
    caught, blocked = found[f"{positive}_caught"], found[f"{negative}_blocked"]
    heading = f"{positive} caught: {caught:.1%}, {negative} blocked: {blocked:.2%}"
    if point := metrics["operating_point"]:
        sentences.append(
            f"Operating point: {point['threshold']:.4f} is the lowest threshold whose "
            "false-positive rate stays within the limit (max_fpr) in cross-validation on the "
            f"training set. There it catches {point['cv_recall']:.2%} of {positive} and blocks "
            f"{point['cv_fpr']:.2%} of {negative}; on the test set it catches "
            f"{point['recall']:.2%} and blocks {point['fpr']:.2%}."
        )
    what = "messages" if schema.is_messages else "rows"
    text = (
        f"The {len(errors):,} {what} of the test set that the model classifies wrongly, most "
        f"confident first, with the probability of {positive}."
    )
    return Report(heading[0].upper() + heading[1:], sentences, [Section("Errors", text)])


def describe_robustness(robustness: dict, labels: list[str]) -> Section:
    """Return what the stage robustness measured."""
    negative, positive = labels
    worst = robustness["worst_attack"].replace("_", " ")
    text = (
        f"The same test messages in disguise, as senders of {positive} write to get past a filter. "
        f"Of {positive}, {robustness['mean']:.1%} is caught on average over the disguises, and "
        f"{robustness['worst']:.1%} under the worst of them ({worst}); in the clear it is "
        f"{robustness['clean']['caught']['rate']:.1%}."
    )
    rows: list[list[str | Cell]] = []
    for name, found in robustness["attacks"].items():
        rates = [
            Cell(f"{rate['rate']:.2%}", f"[{rate['low']:.2%}, {rate['high']:.2%}]")
            for rate in (found["caught"], found["blocked"])
        ]
        rows.append([name.replace("_", " "), *rates, found["example"]])
    columns = [
        ("disguise", NAME),
        (f"{positive} caught", NUMBER),
        (f"{negative} blocked", NUMBER),
        ("example", MESSAGE),
    ]
    return Section("Robustness", text, Table(columns, rows))


EVALUATION = Evaluation(
    primary="mcc",
    importance="average_precision",
    shown=("accuracy", "precision", "recall", "f1", "mcc", "roc_auc", "average_precision"),
    predict_options=(),
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
