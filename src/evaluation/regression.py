"""Evaluate a model that predicts a number."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.base import BaseEstimator

from core.errors import UserError
from evaluation import figures
from evaluation.metrics import format_metric
from evaluation.prediction_intervals import choose_interval, measure_coverage, read_intervals
from evaluation.regression_metrics import weighted_regression_metrics
from evaluation.report import NAME, NUMBER, Cell, Report, Section, Table, format_cell
from evaluation.scores import Evaluation, EvaluationParams, Scored
from evaluation.worst_rows import show_rows
from records.schema import Schema

# Rounding hides the last bits, which depend on the processor.
DIGITS = 9
# So many points show what more of them would hide.
MAX_POINTS = 2000
WORST_ROWS = 100


def name_predictions(_: list[str]) -> list[str]:
    """Return the column of the predicted number."""
    return ["prediction"]


def read_target(target: pd.Series) -> np.ndarray:
    """Return the numbers to predict."""
    return target.to_numpy(float)


def predict(estimator: BaseEstimator, X: Any, _: list[str]) -> np.ndarray:
    """Return the predicted numbers, shape (n_rows,), rounded to nine significant digits."""
    return round_digits(np.asarray(estimator.predict(X), float).ravel(), DIGITS)


def round_digits(values: np.ndarray, digits: int) -> np.ndarray:
    """Round numbers to so many significant digits."""
    return np.array([float(f"{value:.{digits}g}") for value in values])


def number_classes(actual: np.ndarray) -> np.ndarray:
    """Return one class for all rows."""
    return np.zeros(len(actual), int)


def tidy(value: float) -> float:
    """Round to seven significant digits: a target may be in millionths or in millions."""
    return float(f"{value:.7g}")


def check(scored: Scored) -> None:
    """Raise ``UserError`` if all rows have the same target, or a prediction is no finite number."""
    if scored.actual.min() == scored.actual.max():
        raise UserError("all rows have one target, so nothing can be evaluated", "add others")
    if not np.isfinite(scored.predicted).all():
        raise UserError(
            "the model predicts an infinite number",
            "choose another estimator, or target_transform: none",
        )


def weigh(scored: Scored, weights: np.ndarray, _: EvaluationParams) -> dict[str, np.ndarray]:
    """Return every metric for each weighting of the rows."""
    return weighted_regression_metrics(scored.actual, scored.predicted, weights)


def bound(*_: object) -> dict[str, tuple[float, float]]:
    """Return no exact interval."""
    return {}


def measure_more(
    test: Scored, points: list[dict[str, float]], params: EvaluationParams
) -> tuple[dict, dict]:
    """Return coverage and width of the prediction intervals, and the intervals of the coverage."""
    chosen = choose_interval(points, params.interval_coverage)
    if chosen is None:
        return {}, {}
    metrics, intervals = measure_coverage(
        test.actual,
        test.predicted,
        test.groups,
        chosen["margin"],
        params.bootstrap_samples,
        params.random_state,
    )
    return {"prediction_intervals": {**chosen, "measured": metrics}}, {
        "prediction_intervals": intervals
    }


def choose_points(n_rows: int) -> np.ndarray:
    """Return evenly spaced rows, at most so many as plots show."""
    return np.unique(np.linspace(0, n_rows - 1, min(n_rows, MAX_POINTS)).round().astype(int))


def log_plots(*_: object) -> None:
    """Write no data for DVC's plots: they would be empty charts for all other tasks."""


def draw_figures(
    test: Scored, _model: object, _X: object, schema: Schema, *_: object
) -> dict[str, Figure]:
    """Draw the figures of the report."""
    rows = choose_points(len(test.actual))
    predicted, actual = test.predicted[rows], test.actual[rows]
    target = schema.target
    drawn = {
        "predictions": figures.draw_points(
            predicted,
            actual,
            "Actual against predicted",
            f"predicted {target}",
            f"actual {target}",
            is_diagonal=True,
        ),
        "residuals": figures.draw_points(
            predicted,
            predicted - actual,
            "Errors by prediction",
            f"predicted {target}",
            "predicted less actual",
            is_diagonal=False,
        ),
    }
    errors = test.predicted - test.actual
    figure, axes = figures.make_axes("Distribution of errors", "predicted less actual", "rows")
    # Without the outermost errors, which would squeeze all others into a few bars.
    low, high = np.quantile(errors, [0.005, 0.995]).tolist()
    axes.hist(errors, bins=np.linspace(low, high, 41).tolist(), color=figures.NEGATIVE)
    axes.axvline(0, color=figures.NEUTRAL, linestyle="--")
    drawn["error_distribution"] = figure
    return drawn


def find_errors(scored: Scored, schema: Schema, _: EvaluationParams) -> pd.DataFrame:
    """Return the rows with the largest errors, at most a hundred.

    Returns
    -------
    DataFrame
        ``row`` of the source, the target, ``predicted``, ``error`` (predicted less actual), id
        columns and features.
    """
    error = scored.predicted - scored.actual
    order = np.argsort(-np.abs(error), kind="stable")[:WORST_ROWS]
    found = {"predicted": scored.predicted[order], "error": round_digits(error[order], DIGITS)}
    return show_rows(scored.df, order, schema, found)


def describe(metrics: dict, intervals: dict, schema: Schema, errors: pd.DataFrame) -> Report:
    """Return what the report says first, of prediction intervals, and of the worst rows."""
    found, base = metrics["test"], metrics["baseline"]
    heading = (
        f"Mean absolute error of {schema.target}: {format_metric('mae', found['mae'])}, "
        f"R² {found['r2']:.3f}"
    )
    sentences = [
        f"Without features, the mean absolute error would be {format_metric('mae', base['mae'])}. "
        "The total bias is the sum of all errors as a share of the sum of the target."
    ]
    sections = []
    if stored := metrics.get("prediction_intervals"):
        width = format_metric("mae", stored["margin"])
        text = (
            f"Prediction ± {width} should contain {stored['coverage']:.0%} of the targets: so many "
            "of the errors in cross-validation on the training set are at most this large "
            "(split-conformal). The fifths are of the test rows ordered by their prediction."
        )
        measured = intervals["prediction_intervals"]
        rows: list[list[str | Cell]] = [
            [
                name,
                f"{values['rows']:,}",
                format_cell("coverage", values["coverage"], measured[name]["coverage"]),
                format_metric("mae", values["width"]),
            ]
            for name, values in stored["measured"].items()
        ]
        columns = [("prediction", NAME), ("rows", NUMBER), ("within", NUMBER), ("width", NUMBER)]
        sections.append(Section("Prediction intervals", text, Table(columns, rows)))
    text = f"The {len(errors):,} rows of the test set with the largest errors."
    return Report(heading, sentences, [*sections, Section("Errors", text)])


EVALUATION = Evaluation(
    primary="mae",
    importance="mae",
    shown=("mae", "rmse", "r2", "total_bias"),
    predict_options=(),
    name_predictions=name_predictions,
    read_target=read_target,
    predict=predict,
    number_classes=number_classes,
    tidy=tidy,
    check=check,
    weigh=weigh,
    bound=bound,
    read_points=read_intervals,
    measure_more=measure_more,
    log_plots=log_plots,
    draw_figures=draw_figures,
    find_errors=find_errors,
    describe=describe,
)
