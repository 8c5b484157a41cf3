"""Explain the prediction for a row of a table: what each feature or column contributes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from core.tables import read_table
from features.names import name_features
from models.inputs import list_inputs
from models.predictions import Decision, Prediction
from models.weights import find_weights


@dataclass(frozen=True)
class Reasons:
    """What numbers are, and the number of each feature or column, largest first."""

    title: str
    ranked: list[tuple[str, float]]


def explain_row(
    model: Pipeline,
    prediction: Prediction,
    decision: Decision,
    df: pd.DataFrame,
    training: Path,
) -> Reasons | None:
    """Return what the prediction for a row comes from.

    Parameters
    ----------
    model, prediction, decision
        The model, and how it predicts.
    df : DataFrame of shape (1, n_columns)
        The typed row.
    training : Path
        The training table, for models that are not linear.

    Returns
    -------
    Reasons or None
        None if the model is not linear and there is no training table.
    """
    if (linear := find_contributions(model, decision, df)) is not None:
        what = f"the log-odds of {decision.labels[-1]}" if decision.labels else "the prediction"
        return Reasons(f"What each feature adds to {what}:", rank(linear))
    kinds = list_inputs(model)
    if not training.is_file():
        return None
    usual = find_usual(read_table(training, list(kinds)), kinds)
    changed = pd.concat([df] * (1 + len(kinds)), ignore_index=True)
    for place, column in enumerate(kinds, start=1):
        changed.loc[place, column] = usual[column]
    outputs = prediction.choose(prediction.score(model, decision.labels, changed))
    effects = {
        f"{column} is {show(df[column][0])}, usually {show(usual[column])}": outputs[0] - output
        for column, output in zip(kinds, outputs[1:].tolist(), strict=True)
    }
    return Reasons(
        "What the prediction gains by each value, compared with the median or most frequent value "
        "of the training table:",
        rank(effects),
    )


def find_contributions(
    model: Pipeline, decision: Decision, df: pd.DataFrame
) -> dict[str, float] | None:
    """Return weight times value of each feature, None for a model that is not linear."""
    estimator = model[-1]
    if not decision.labels:
        weights = np.asarray(getattr(estimator, "coef_", 0))
        if weights.ndim != 1:
            return None
    else:
        found = find_weights(estimator)
        if found is None:
            return None
        # A calibrated classifier scales its scores.
        scale = float(getattr(estimator, "slope", 1))
        weights = found[0] * (scale if estimator.classes_[1] == decision.labels[-1] else -scale)
    X = model[:-1].transform(df)
    contributed = np.asarray(X.toarray() if hasattr(X, "toarray") else X)[0] * weights
    used = np.flatnonzero(contributed)
    names = name_features(model["columns"], used)
    return dict(zip(names.tolist(), contributed[used].tolist(), strict=True))


def find_usual(train: pd.DataFrame, kinds: dict[str, str]) -> dict[str, Any]:
    """Return the median of numbers and dates, the most frequent value of others, no text."""
    usual: dict[str, Any] = {}
    for column, kind in kinds.items():
        if kind == "text":
            usual[column] = ""
        elif kind in ("number", "date"):
            usual[column] = train[column].median()
        else:
            usual[column] = next(iter(train[column].mode()), None)
    return usual


def show(value: Any) -> str:
    """Return a value for people."""
    if pd.isna(value):
        return "missing"
    return f"{value:g}" if isinstance(value, float) else repr(str(value))


def rank(numbers: dict[str, float]) -> list[tuple[str, float]]:
    """Return the numbers with the largest ones, of either sign, first."""
    return sorted(numbers.items(), key=lambda pair: -abs(pair[1]))
