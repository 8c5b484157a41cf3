"""Measure a model on the rows of each value of a column."""

import numpy as np
import pandas as pd

from core.errors import UserError
from evaluation.scores import Evaluation, EvaluationParams, Scored, measure
from records.schema import Schema

# Of a column, the most frequent ones; the others together are one slice more.
MAX_VALUES = 20
OTHERS, MISSING = "(others)", "(missing)"
N_PARTS = 5


def check_slices(schema: Schema, params: EvaluationParams) -> None:
    """Raise ``UserError`` if a column to slice by is not stored."""
    stored = [*schema.features, *schema.id]
    for column in params.slices:
        if column not in stored:
            raise UserError(
                f"model_evaluation.slices: column {column!r} is not stored",
                f"choose from {', '.join(stored)}",
            )


def cut_numbers(values: pd.Series) -> dict[str, np.ndarray]:
    """Return the rows of five intervals that hold about equally many, lowest first.

    If there are no more than five values, each is a slice.
    """
    distinct = sorted(values.dropna().unique())
    if len(distinct) <= N_PARTS:
        return {f"{value:.6g}": (values == value).to_numpy() for value in distinct}
    cut = pd.qcut(values, N_PARTS, duplicates="drop")
    return {
        f"{each.left:.6g} to {each.right:.6g}": (cut.cat.codes == code).to_numpy()
        for code, each in enumerate(cut.cat.categories)
    }


def cut_years(values: pd.Series) -> dict[str, np.ndarray]:
    """Return the rows of each year, the first one first."""
    years = values.dt.year
    return {f"{year:.0f}": (years == year).to_numpy() for year in sorted(years.dropna().unique())}


def list_values(values: pd.Series) -> dict[str, np.ndarray]:
    """Return the rows of each value, the most frequent one first; rare values together."""
    counts = values.value_counts().sort_index().sort_values(ascending=False, kind="stable")
    kept = list(counts.index[:MAX_VALUES])
    slices = {str(value): (values == value).to_numpy(bool) for value in kept}
    slices[OTHERS] = (values.notna() & ~values.isin(kept)).to_numpy(bool)
    return slices


# How the values of each kind of column become slices; those of others stay as they are.
CUTS = {"number": cut_numbers, "date": cut_years}


def slice_rows(values: pd.Series, kind: str) -> dict[str, np.ndarray]:
    """Return which rows are in each slice of a column, by the slice's name."""
    slices = CUTS.get(kind, list_values)(values)
    slices[MISSING] = values.isna().to_numpy()
    return {name: rows for name, rows in slices.items() if rows.any()}


def measure_slices(
    task: Evaluation, scored: Scored, schema: Schema, params: EvaluationParams
) -> tuple[dict, dict]:
    """Return the metrics that the report shows, and their intervals, by column and value.

    Returns
    -------
    metrics, intervals : dict of str to dict of str to dict
        Metrics also have ``rows``. Metrics that a slice does not define, such as the recall of a
        label that none of its rows has, are left out.
    """
    metrics: dict[str, dict] = {}
    intervals: dict[str, dict] = {}
    for column in params.slices:
        metrics[column], intervals[column] = {}, {}
        for name, rows in slice_rows(scored.df[column], schema.kinds[column]).items():
            found = measure(task, scored.take(rows), params)
            shown = [each for each in task.shown if each in found.metrics]
            metrics[column][name] = {
                "rows": int(rows.sum()),
                **{each: found.metrics[each] for each in shown},
            }
            intervals[column][name] = {each: found.intervals[each] for each in shown}
    return metrics, intervals
