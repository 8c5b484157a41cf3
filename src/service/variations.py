"""Answer for a row with other values: what its prediction comes from, and a curve."""

from typing import Any

import numpy as np
import pandas as pd

from models.answers import list_answers
from models.description import Column
from models.loaded import LoadedModel
from models.row_explanation import explain_rows
from service.answering import Answer, Values, list_errors, type_values
from service.rows import MIDNIGHT

# How many points of a range, and how many values of a category, a curve has.
POINTS = 41
CATEGORIES = 30
# Significant digits of numbers that are shown.
DIGITS = 6


def type_row(loaded: LoadedModel, row: Values) -> pd.DataFrame:
    """Return the typed features of a row.

    Raises
    ------
    RowError
        If it cannot be predicted for.
    """
    df, rejections = type_values(loaded, [row])
    if errors := list_errors(loaded, rejections):
        raise errors[0]
    return df


def explain_row(loaded: LoadedModel, row: Values) -> dict[str, Any]:
    """Return what the prediction for a row comes from."""
    [reasons] = explain_rows(loaded, type_row(loaded, row))
    items = [
        {"name": each.name, "value": each.value, "change": float(f"{each.change:.{DIGITS}g}")}
        for each in reasons.ranked
    ]
    return {"kind": reasons.kind, "of": reasons.of, "items": items}


def list_points(column: Column) -> list[Any]:
    """Return the values of a column that a curve shows, as JSON has them."""
    low, high = column.minimum, column.maximum
    if isinstance(low, float) and isinstance(high, float):
        return list_numbers(low, high)
    if isinstance(low, str) and isinstance(high, str):
        return list_dates(pd.Timestamp(low), pd.Timestamp(high))
    # A range without ends has no values in the training data.
    return list(column.values)[:CATEGORIES]


def list_numbers(low: float, high: float) -> list[float]:
    """Return numbers at equal distances, the inner ones rounded."""
    inner = [float(f"{each:.{DIGITS}g}") for each in np.linspace(low, high, POINTS)]
    return sorted({low, high, *(each for each in inner if low < each < high)})


def list_dates(low: pd.Timestamp, high: pd.Timestamp) -> list[str]:
    """Return dates at equal distances, the inner ones rounded to seconds, or days if both are."""
    unit = "D" if low == low.normalize() and high == high.normalize() else "s"
    inner = pd.date_range(low, high, periods=POINTS).round(unit)
    dates = sorted({low, high, *(each for each in inner if low < each < high)})
    return [each.isoformat().removesuffix(MIDNIGHT) for each in dates]


def draw_curve(
    loaded: LoadedModel, row: Values, column: Column, values: list[Any]
) -> list[dict[str, Any]]:
    """Return the prediction for a row with each of these values of a column.

    Raises
    ------
    RowError
        If it cannot be predicted for.
    """
    df = type_row(loaded, row)
    if not values:
        return []
    df = df.iloc[[0] * len(values)].reset_index(drop=True)
    typed = pd.Series(map(pd.Timestamp, values) if column.kind == "date" else values)
    df[column.name] = typed.astype(df[column.name].dtype)
    found = loaded.prediction.score(loaded.pipeline, loaded.decision.labels, df)
    answers: list[Answer] = list_answers(loaded, found, [])
    key = next(n for n in ("probabilities", "probability", "prediction") if n in answers[0])
    return [
        {"value": value, key: answer[key]} for value, answer in zip(values, answers, strict=True)
    ]
