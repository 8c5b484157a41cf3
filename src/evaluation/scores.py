"""Score a set of rows with a model, and compute its metrics with their intervals."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from dvclive import Live
from matplotlib.figure import Figure
from pydantic import Field, NonNegativeInt
from sklearn.base import BaseEstimator
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.pipeline import Pipeline

from core.errors import UserError
from core.params import Params
from evaluation.intervals import bootstrap, find_interval
from evaluation.report import Report
from records.schema import Name, Schema
from records.tasks import TASKS


class EvaluationParams(Params):
    """The section ``model_evaluation`` of params.yaml."""

    threshold: float = Field(gt=0, lt=1)
    max_fpr: float = Field(ge=0, lt=1)
    bootstrap_samples: int = Field(ge=100)
    random_state: NonNegativeInt
    slices: list[Name]
    interval_coverage: float = Field(gt=0, lt=1)


@dataclass(frozen=True)
class Scored:
    """Rows, and what a model predicts for them.

    Attributes
    ----------
    df : DataFrame of shape (n_rows, n_columns)
        The stored table, with ``row`` and ``group``.
    labels : list of str
        The labels in the order of the target's categories; none in a regression.
    actual : ndarray of shape (n_rows,)
        Is the label the positive one? The number of the label, or the number to predict.
    predicted : ndarray of shape (n_rows,) or (n_rows, n_labels)
        Probability of the positive label, of each label, or the predicted number.
    """

    df: pd.DataFrame
    labels: list[str]
    actual: np.ndarray
    predicted: np.ndarray

    @property
    def groups(self) -> np.ndarray:
        """The number of each row's group."""
        return self.df["group"].to_numpy()

    def take(self, rows: np.ndarray) -> "Scored":
        """Return some rows, given as a mask or as numbers."""
        return Scored(self.df.iloc[rows], self.labels, self.actual[rows], self.predicted[rows])


@dataclass(frozen=True)
class Measured:
    """Metrics, their 95% intervals as ``low`` and ``high``, and their bootstrap samples."""

    metrics: dict[str, float]
    intervals: dict[str, dict[str, float]]
    samples: dict[str, np.ndarray]


@dataclass(frozen=True)
class Evaluation:
    """How the models of one task are evaluated.

    Attributes
    ----------
    primary, importance : str
        The metric for the log, and that by which columns are ranked.
    shown : tuple of str
        The metrics of slices that the report shows.
    predict_options : tuple of str
        Options with which predict writes all columns that the metrics need.
    name_predictions : callable
        Returns the columns of a file of predict that hold ``Scored.predicted``; takes the labels.
    read_target : callable
        Returns a table's target as ``Scored.actual``.
    predict : callable
        Returns what an estimator predicts from features as ``Scored.predicted``; takes the labels.
    number_classes : callable
        Returns the class of each row, so that each bootstrap sample has rows of all of them.
    tidy : callable
        Rounds a metric: the last digits of sums depend on the processor.
    check : callable
        Raises ``UserError`` if the rows cannot be evaluated.
    weigh : callable
        Returns every metric for each weighting of the rows; NaN where it is not defined.
    bound : callable
        Returns exact intervals of metrics for which the bootstrap gives none that is wide enough.
    read_points : callable
        Reads what model_building stored beside the model.
    measure_more : callable
        Returns further metrics of the test set and their intervals, in sections.
    log_plots, draw_figures : callable
        Write the data of DVC's plots; draw the figures of the report.
    find_errors : callable
        Returns the rows that the model predicts worst.
    describe : callable
        Returns the texts and sections of the report that are of this task.
    """

    primary: str
    importance: str
    shown: tuple[str, ...]
    predict_options: tuple[str, ...]
    name_predictions: Callable[[list[str]], list[str]]
    read_target: Callable[[pd.Series], np.ndarray]
    predict: Callable[[BaseEstimator, Any, list[str]], np.ndarray]
    number_classes: Callable[[np.ndarray], np.ndarray]
    tidy: Callable[[float], float]
    check: Callable[[Scored], None]
    weigh: Callable[[Scored, np.ndarray, EvaluationParams], dict[str, np.ndarray]]
    bound: Callable[[Scored, dict[str, float], EvaluationParams], dict[str, tuple[float, float]]]
    read_points: Callable[[Path, Path, str], Any]
    measure_more: Callable[[Scored, Any, EvaluationParams], tuple[dict, dict]]
    log_plots: Callable[[Live, Scored, EvaluationParams], None]
    draw_figures: Callable[[Scored, Pipeline, Any, Schema, EvaluationParams], dict[str, Figure]]
    find_errors: Callable[[Scored, Schema, EvaluationParams], pd.DataFrame]
    describe: Callable[[dict, dict, Schema, pd.DataFrame], Report]


def score(
    task: Evaluation, model: Pipeline, df: pd.DataFrame, X: sp.csr_matrix, target: str
) -> Scored:
    """Predict the target of each row.

    Raises
    ------
    UserError
        If the number of features, or the labels, differ from those of the model.
    """
    estimator = model[-1]
    n_features = getattr(estimator, "n_features_in_", X.shape[1])
    if X.shape[1] != n_features:
        raise UserError(
            f"the matrix has {X.shape[1]} features, the model {n_features}",
            "run 'dvc repro' to make both again",
        )
    labels = list(getattr(df[target].dtype, "categories", []))
    known = list(getattr(estimator, "classes_", []))
    if sorted(labels) != sorted(known):
        raise UserError(
            f"the table's labels are {labels}, the model's {known}",
            "run 'dvc repro' to make both again",
        )
    return Scored(df, labels, task.read_target(df[target]), task.predict(estimator, X, labels))


def score_baseline(task: Evaluation, train: pd.DataFrame, test: Scored, schema: Schema) -> Scored:
    """Return the test rows with what a model predicts that knows only the training target."""
    kind = TASKS[schema.task]
    dummy = (DummyRegressor, DummyClassifier)[kind.has_classes](strategy=kind.baseline)
    y = train[schema.target]
    dummy.fit(np.zeros((len(y), 1)), y.astype("str").to_numpy(object) if kind.has_classes else y)
    predicted = task.predict(dummy, np.zeros((len(test.df), 1)), test.labels)
    return replace(test, predicted=predicted)


def compute_values(task: Evaluation, scored: Scored, params: EvaluationParams) -> dict[str, float]:
    """Return the metrics of scored rows that are defined, without intervals."""
    found = weigh_once(lambda weights: task.weigh(scored, weights, params), len(scored.df))
    return {name: task.tidy(value) for name, value in found.items()}


def weigh_once(
    weigh: Callable[[np.ndarray], dict[str, np.ndarray]], n_rows: int
) -> dict[str, float]:
    """Return the metrics that are defined if every row counts once."""
    found = weigh(np.ones((1, n_rows)))
    return {name: float(value[0]) for name, value in found.items() if np.isfinite(value[0])}


def measure(task: Evaluation, scored: Scored, params: EvaluationParams) -> Measured:
    """Return the metrics of scored rows that are defined, with their intervals.

    The interval is the percentile bootstrap interval, widened to the exact one where there is one,
    and to the metric itself: a calibration error is larger in bootstrap samples than in the data.
    """

    def weigh(weights: np.ndarray) -> dict[str, np.ndarray]:
        return task.weigh(scored, weights, params)

    return estimate(
        weigh,
        task.number_classes(scored.actual),
        scored.groups,
        lambda values: task.bound(scored, values, params),
        task.tidy,
        params,
    )


def estimate(
    weigh: Callable[[np.ndarray], dict[str, np.ndarray]],
    classes: np.ndarray,
    groups: np.ndarray,
    bound: Callable[[dict[str, float]], dict[str, tuple[float, float]]],
    tidy: Callable[[float], float],
    params: EvaluationParams,
) -> Measured:
    """Return the metrics that ``weigh`` computes, with their intervals.

    Parameters
    ----------
    weigh, classes, groups
        As for ``bootstrap``.
    bound : callable
        Returns exact intervals of some metrics, from their values.
    tidy : callable
        Rounds a number.
    params : EvaluationParams
        Number of samples, and their seed.
    """
    values = weigh_once(weigh, len(groups))
    samples = bootstrap(weigh, classes, groups, params.bootstrap_samples, params.random_state)
    exact = bound(values)
    intervals = {}
    for name, value in values.items():
        ends = [*find_interval(samples[name]), value, *exact.get(name, ())]
        intervals[name] = {"low": tidy(np.nanmin(ends)), "high": tidy(np.nanmax(ends))}
    return Measured({name: tidy(value) for name, value in values.items()}, intervals, samples)


def compare(model: Measured, baseline: Measured, tidy: Callable[[float], float]) -> dict:
    """Return the model's metrics less the baseline's, as ``value``, ``low`` and ``high``.

    Both are measured on the same bootstrap samples, so the intervals are of paired differences.
    """
    differences = {}
    for name in model.metrics.keys() & baseline.metrics.keys():
        sample = model.samples[name] - baseline.samples[name]
        value = model.metrics[name] - baseline.metrics[name]
        ends = [*find_interval(sample), value]
        found = {"value": value, "low": np.nanmin(ends), "high": np.nanmax(ends)}
        differences[name] = {end: tidy(number) for end, number in found.items()}
    return {name: differences[name] for name in model.metrics if name in differences}
