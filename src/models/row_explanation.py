"""Explain the predictions for rows of a table: what each value contributes or changes."""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer

from features.names import TEXT_BRANCHES, name_features
from models.adapted import DenseRegressor, LogRegressor
from models.description import replace_by_usual
from models.loaded import LoadedModel
from models.weights import find_weights

SHOWN_LENGTH = 40


class Reason(NamedTuple):
    """A column, or a feature of a text; its value as text; and what it contributes or changes."""

    name: str
    value: str
    change: float


@dataclass(frozen=True)
class Reasons:
    """What the prediction for one row comes from.

    Attributes
    ----------
    kind : str
        ``contributions``: exact ones of a linear model, which add up to what is explained, less a
        constant. ``changes``: how much the prediction differs from that for the same row with the
        usual value of the column.
    of : str
        What is explained.
    ranked : list of Reason
        The strongest first; those without effect are left out.
    """

    kind: Literal["contributions", "changes"]
    of: str
    ranked: list[Reason]


def explain_rows(loaded: LoadedModel, df: pd.DataFrame) -> list[Reasons]:
    """Return what the prediction for each row comes from.

    Parameters
    ----------
    loaded : LoadedModel
        A model of a table.
    df : DataFrame of shape (n_rows, n_columns)
        Typed features.
    """
    weights = find_row_weights(loaded)
    if weights is not None:
        return list_contributions(loaded, df, *weights)
    return list_changes(loaded, df)


def find_row_weights(loaded: LoadedModel) -> tuple[np.ndarray, str] | None:
    """Return the weights of a linear model of two labels or of a number, and of what they are."""
    estimator: BaseEstimator = loaded.pipeline[-1]
    labels = loaded.decision.labels
    if labels:
        found = find_weights(estimator)
        if found is None:
            return None
        # A calibrated classifier scales its scores.
        scale = float(getattr(estimator, "slope", 1))
        sign = 1 if estimator.classes_[1] == labels[-1] else -1
        return sign * scale * found[0], f"the log-odds of {labels[-1]}"
    of = f"{loaded.description.data.target}"
    if isinstance(estimator, LogRegressor):
        estimator, of = estimator.estimator_, f"log(1 + {of})"
    if isinstance(estimator, DenseRegressor):
        estimator = estimator.estimator_
    weights = np.asarray(getattr(estimator, "coef_", 0))
    return (weights, of) if weights.ndim == 1 else None


def list_contributions(
    loaded: LoadedModel, df: pd.DataFrame, weights: np.ndarray, of: str
) -> list[Reasons]:
    """Return the sum of weight times feature, for each column and each feature of a text."""
    X = sp.csr_matrix(loaded.pipeline[:-1].transform(df)).multiply(weights).tocsr()
    used = np.unique(X.indices)
    names, is_column = name_sources(loaded.pipeline["columns"], used)
    shown = loaded.description.source_names
    place_of = dict(zip(used.tolist(), range(len(used)), strict=True))
    explained = []
    for row in range(len(df)):
        sums: dict[tuple[str, bool], float] = {}
        start, end = X.indptr[row], X.indptr[row + 1]
        for feature, value in zip(
            X.indices[start:end].tolist(), X.data[start:end].tolist(), strict=True
        ):
            place = place_of[feature]
            key = (names[place], is_column[place])
            sums[key] = sums.get(key, 0) + value
        found = [
            Reason(shown[name], show(df[name].iloc[row]), change)
            if is_one
            else Reason(name, "", change)
            for (name, is_one), change in sums.items()
        ]
        explained.append(Reasons("contributions", of, rank(found)))
    return explained


def name_sources(columns: ColumnTransformer, used: np.ndarray) -> tuple[list[str], list[bool]]:
    """Return the column that each feature is made of, and True; of texts its name, and False.

    The names of the features of a column contain its name: those are replaced by numbers, which
    can be found again.
    """
    names, is_column = name_features(columns, used).tolist(), [False] * len(used)
    for branch, transformer, read in columns.transformers_:
        if branch == "remainder" or branch.startswith(TEXT_BRANCHES):
            continue
        read, first = list(read), columns.output_indices_[branch].start
        marked = transformer.get_feature_names_out([f"\0{n}\0" for n in range(len(read))])
        for place, feature in enumerate(used.tolist()):
            if 0 <= feature - first < len(marked):
                names[place] = read[int(str(marked[feature - first]).split("\0")[1])]
                is_column[place] = True
    return names, is_column


def list_changes(loaded: LoadedModel, df: pd.DataFrame) -> list[Reasons]:
    """Return by how much each value changes the prediction, compared with the usual one."""
    prediction, labels = loaded.prediction, loaded.decision.labels
    names = loaded.description.source_names
    predicted = prediction.score(loaded.pipeline, labels, df)
    before = prediction.choose(predicted, predicted)
    found: list[list[Reason]] = [[] for _ in range(len(df))]
    for column in loaded.description.columns:
        changed = prediction.score(loaded.pipeline, labels, replace_by_usual(df, column))
        changes = before - prediction.choose(changed, predicted)
        for place, change in enumerate(changes.tolist()):
            value = show(df[column.name].iloc[place])
            found[place].append(Reason(names[column.name], value, change))
    of = [loaded.description.data.target] * len(df)
    if labels:
        chosen = predicted.argmax(axis=1) if predicted.ndim > 1 else np.full(len(df), -1)
        of = [f"the probability of {labels[place]}" for place in chosen.tolist()]
    return [Reasons("changes", each, rank(row)) for each, row in zip(of, found, strict=True)]


def show(value: Any) -> str:
    """Return a typed value for people."""
    if pd.isna(value):
        return "missing"
    if isinstance(value, float):
        return f"{value:g}"
    text = value.isoformat().removesuffix("T00:00:00") if isinstance(value, pd.Timestamp) else value
    return text if len(text) <= SHOWN_LENGTH else f"{text[:SHOWN_LENGTH]}..."


def rank(reasons: list[Reason]) -> list[Reason]:
    """Return the reasons that change something, the strongest of either sign first."""
    kept = [reason for reason in reasons if f"{reason.change:.3g}" not in ("0", "-0")]
    return sorted(kept, key=lambda reason: -abs(reason.change))
