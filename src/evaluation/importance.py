"""Rank the columns of a table by permutation importance.

The importance of a column is how much worse the metric becomes on test rows when its values are
shuffled among them. Columns that carry the same information hide each other: without one of them
the model still has the other.

Reference: L. Breiman. Random forests. Machine Learning 45, 2001.
"""

from collections.abc import Iterator
from itertools import islice

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from evaluation.metrics import find_loss
from evaluation.scores import Evaluation, EvaluationParams, Scored
from records.schema import Schema
from records.tables import name_tokens

# A sample of the test rows is enough to rank columns, and keeps long texts affordable.
MAX_ROWS = 2000
MAX_CHARACTERS = 2_000_000
# The time grows with the square of the number of columns.
MAX_COLUMNS = 1000
REPEATS = 5


def choose_rows(df: pd.DataFrame, schema: Schema, rng: np.random.Generator) -> np.ndarray:
    """Return the rows to measure on, at random, fewer the longer their texts are."""
    length = sum(df[column].str.len().mean() for column in schema.text)
    n_rows = min(len(df), MAX_ROWS, int(MAX_CHARACTERS / max(length, 1)) + 2)
    return np.sort(rng.choice(len(df), n_rows, replace=False))


def measure_importance(
    task: Evaluation, model: Pipeline, scored: Scored, schema: Schema, params: EvaluationParams
) -> dict[str, dict[str, float]]:
    """Return mean and standard deviation of the loss by column, the most important one first."""
    rng = np.random.default_rng(params.random_state)
    chosen = scored.take(choose_rows(scored.df, schema, rng))
    # Preparing rows, such as tokenising texts, is the same for every order of them.
    rows, rest = model[0].transform(chosen.df[schema.features]), model[1:]
    once = np.ones((1, len(rows)))

    def find_losses(tables: list[pd.DataFrame]) -> list[float]:
        predicted = task.predict(rest, pd.concat(tables, ignore_index=True), scored.labels)
        measured = (
            Scored(chosen.df, scored.labels, chosen.actual, each)
            for each in np.split(predicted, len(tables))
        )
        weighed = (task.weigh(each, once, params)[task.importance][0] for each in measured)
        return [find_loss(task.importance, value) for value in weighed]

    def shuffle_columns() -> Iterator[pd.DataFrame]:
        for column in schema.features:
            columns = [name for name in (column, name_tokens(column)) if name in rows]
            for _ in range(REPEATS):
                order = rng.permutation(len(rows))
                shuffled = {name: rows[name].iloc[order].set_axis(rows.index) for name in columns}
                yield rows.assign(**shuffled)

    [best] = find_losses([rows])
    tables, losses = shuffle_columns(), []
    # Many predictions of few rows would take longer than few of many.
    while some := list(islice(tables, max(1, MAX_ROWS // len(rows)))):
        losses += find_losses(some)
    worse = np.reshape(losses, (-1, REPEATS)) - best
    found = {
        column: {"mean": float(each.mean()), "std": float(each.std())}
        for column, each in zip(schema.features, worse, strict=True)
    }
    return {
        column: {name: task.tidy(value) for name, value in found[column].items()}
        for column in sorted(found, key=lambda column: -found[column]["mean"])
    }
