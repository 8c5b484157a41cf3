"""Measure by cross-validation how quality grows with the number of training rows: table and plot.

By hand: python src learning_curve --params params.yaml --train data/interim/train.parquet \
    --output reports/learning_curve

The test set is not read, so that it can still measure the model fairly. If the curve still rises at
its end, more rows help; if both lines are close together and low, other features may.
"""

import argparse
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from core.errors import UserError
from core.files import write_text
from core.log import run_stage
from core.markdown import align_table
from core.params import read_params
from core.tables import write_csv
from evaluation import figures
from evaluation.metrics import format_metric, is_lower_better
from evaluation.report import name_metric
from evaluation.scores import Evaluation, EvaluationParams, Scored
from evaluation.tasks import EVALUATIONS
from features.branches import (
    FeatureParams,
    select_columns,
)
from features.matrices import as_float32
from models.estimators import ModelParams
from models.folds import list_splits
from models.training import SplitParams, choose_folds, fit_table
from records.schema import Schema
from records.tables import name_tokens, read_rows
from text.tokens import TextParams

# Of the rows that a fold leaves to fit on.
SHARES = (0.1, 0.2, 0.4, 0.7, 1.0)
HELD_OUT, FITTED_ON = "held out", "fitted on"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """The sections of params.yaml that a model depends on."""

    schema: Schema
    text: TextParams
    split: SplitParams
    features: FeatureParams
    model: ModelParams
    evaluation: EvaluationParams


def read_settings(path: Path) -> Settings:
    """Read the sections of a parameters file."""
    return Settings(
        read_params(path, "schema", Schema),
        read_params(path, "preprocessing", TextParams),
        read_params(path, "preprocessing", SplitParams),
        read_params(path, "feature_engineering", FeatureParams),
        read_params(path, "model_building", ModelParams),
        read_params(path, "model_evaluation", EvaluationParams),
    )


def choose_rows(groups: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Return the rows of a random share of the groups."""
    distinct = rng.permutation(np.unique(groups))
    chosen = distinct[: max(1, round(share * len(distinct)))]
    return np.flatnonzero(np.isin(groups, chosen))


def measure(
    fitted_on: pd.DataFrame, held_out: pd.DataFrame, task: Evaluation, settings: Settings
) -> dict[str, dict[str, float]]:
    """Fit features and model on some rows; return the metrics of these and of others."""
    schema = settings.schema
    columns, model = fit_table(
        fitted_on, schema, settings.features, settings.text, settings.model, settings.split
    )
    labels = list(getattr(fitted_on[schema.target].dtype, "categories", []))
    found = {}
    for name, df in ((HELD_OUT, held_out), (FITTED_ON, fitted_on)):
        X = as_float32(columns.transform(select_columns(df, schema)))
        actual = task.read_target(df[schema.target])
        scored = Scored(df, labels, actual, task.predict(model, X, labels))
        metrics = task.weigh(scored, np.ones((1, len(df))), settings.evaluation)
        found[name] = {metric: float(value[0]) for metric, value in metrics.items()}
    return found


def measure_shares(df: pd.DataFrame, task: Evaluation, settings: Settings) -> pd.DataFrame:
    """Return the metrics of each share of the training rows in each fold.

    A smaller share is contained in the larger ones. Shares that are too small to fit a model in
    every fold are left out.

    Returns
    -------
    DataFrame
        ``share``, ``fold``, number of ``rows`` fitted on, which ``set`` was measured, its metrics.
    """
    folds = choose_folds(df, settings.schema, settings.model, settings.split)
    measured: list[dict[str, Any]] = []
    for share in tqdm(SHARES, desc="sizes"):
        of_share: list[dict[str, Any]] = []
        for fold, (others, held_out) in enumerate(list_splits(folds)):
            rng = np.random.default_rng([settings.model.random_state, fold])
            rows = others[choose_rows(df["group"].to_numpy()[others], share, rng)]
            try:
                found = measure(df.iloc[rows], df.iloc[held_out], task, settings)
            except ValueError as error:
                if share == SHARES[-1]:
                    raise
                logger.warning("%d rows are too few to fit on: %s", len(rows), error)
                break
            for name, metrics in found.items():
                place = {"share": share, "fold": fold, "rows": len(rows), "set": name}
                of_share.append({**place, **metrics})
        else:
            measured += of_share
    return pd.DataFrame(measured)


def summarise(measured: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return for each share the mean number of rows, and mean and deviation of a metric."""
    summary = measured.groupby(["share", "set"]).agg(
        rows=("rows", "mean"),
        mean=(metric, "mean"),
        deviation=(metric, "std"),
        folds=("fold", "size"),
    )
    return summary.reset_index()


def make_table(summary: pd.DataFrame, metric: str) -> str:
    """Return the summary as a Markdown table."""
    rows = [["rows fitted on", f"{name_metric(metric)}, {HELD_OUT}", FITTED_ON]]
    sets = [summary[summary["set"] == name].to_dict("records") for name in (HELD_OUT, FITTED_ON)]
    for pair in zip(*sets, strict=True):
        values = [
            f"{format_metric(metric, row['mean'])} ± {format_metric(metric, row['deviation'])}"
            for row in pair
        ]
        rows.append([f"{pair[0]['rows']:,.0f}", *values])
    return align_table(rows)


def draw_curve(summary: pd.DataFrame, metric: str) -> figures.Figure:
    """Draw the mean of each set by the number of rows, with its deviation over the folds."""
    direction = "lower is better" if is_lower_better(metric) else "higher is better"
    label = f"{name_metric(metric)} ({direction})"
    figure, axes = figures.make_axes("Learning curve", "rows fitted on", label, width=6.4)
    for colour, name in ((figures.POSITIVE, HELD_OUT), (figures.NEGATIVE, FITTED_ON)):
        chosen = summary[summary["set"] == name]
        mean, deviation = chosen["mean"], chosen["deviation"].fillna(0)
        axes.plot(chosen["rows"], mean, color=colour, marker=".", label=name)
        axes.fill_between(
            chosen["rows"],
            mean - deviation,
            mean + deviation,
            color=colour,
            alpha=0.15,
            linewidth=0,
        )
    axes.legend()
    return figure


def main(argv: list[str] | None = None) -> None:
    """Measure the learning curve of the training set that ``argv`` names."""
    parser = argparse.ArgumentParser(description="Measure quality by the number of training rows.")
    parser.add_argument("--params", type=Path, required=True, help="params.yaml")
    parser.add_argument("--train", type=Path, required=True, help="Parquet of the training set")
    parser.add_argument("--output", type=Path, required=True, help="table, CSV and plot to write")
    parser.add_argument("--metric", help="metric to show; by default the task's main one")
    args = parser.parse_args(argv)
    settings = read_settings(args.params)
    schema, task = settings.schema, EVALUATIONS[settings.schema.task]
    tokens = [name_tokens(column) for column in schema.text]
    split = [settings.split.split_column] if settings.split.split_column else []
    columns = dict.fromkeys([*schema.features, *tokens, "group", *split])
    df = read_rows(args.train, schema, list(columns))
    measured = measure_shares(df, task, settings)
    metric = args.metric or task.primary
    if metric not in measured:
        known = [str(name) for name in measured if name not in ("share", "fold", "rows", "set")]
        raise UserError(f"there is no metric {metric!r}", f"choose one of {', '.join(known)}")
    summary = summarise(measured, metric)
    table = make_table(summary, metric)
    write_csv(measured.round(6), args.output.with_suffix(".csv"))
    write_text(f"{table}\n", args.output.with_suffix(".md"))
    figures.save_figure(draw_curve(summary, metric), args.output.with_suffix(".png"))
    print(table)


def run_program() -> None:
    run_stage(main)
