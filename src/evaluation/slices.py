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
NOT_ENOUGH = 2


def check_slices(schema: Schema, params: EvaluationParams) -> None:
    """Raise ``UserError`` if a column to slice by is not stored."""
    stored = [*schema.features, *schema.id]
    for column in params.slices:
        if column not in stored:
            raise UserError(
                f"model_evaluation.slices: column {column!r} is not stored",
                f"choose from {', '.join(stored)}",
            )


def cut_numbers(values: pd.Series) -> pd.Series:
    """Return the interval of each number, of five that hold equally many rows."""
    cut = pd.qcut(values, N_PARTS, duplicates="drop")
    names = {each: f"{each.left:.6g} to {each.right:.6g}" for each in cut.cat.categories}
    return cut.cat.rename_categories(names).astype(object)


# How values of each kind of column become slices; those of others stay as they are.
CUTS = {"number": cut_numbers, "date": lambda values: values.dt.year.astype("Int64").astype(object)}


def name_slices(values: pd.Series, kind: str) -> pd.Series:
    """Return the name of each row's slice, shape (n_rows,)."""
    cut = CUTS.get(kind, lambda same: same.astype(object))(values)
    named = cut.map(str, na_action="ignore").fillna(MISSING)
    kept = named.value_counts().sort_values(ascending=False, kind="stable").index[:MAX_VALUES]
    return named.where(named.isin(kept), OTHERS)


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
        names = name_slices(scored.df[column], schema.kinds[column]).to_numpy(object)
        for name in sorted(set(names)):
            rows = np.flatnonzero(names == name)
            found = measure(task, scored.take(rows), params)
            shown = [each for each in task.shown if each in found.metrics]
            metrics[column][name] = {
                "rows": len(rows),
                **{each: found.metrics[each] for each in shown},
            }
            intervals[column][name] = {each: found.intervals[each] for each in shown}
    return metrics, intervals
