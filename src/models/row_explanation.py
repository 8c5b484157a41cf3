"""Explain the predictions for rows of a table: what each value contributes or changes."""

import copy
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline

from features.names import TEXT_BRANCHES, name_features
from models.adapted import DenseRegressor, LogRegressor
from models.description import replace_each
from models.loaded import LoadedModel
from models.predictions import show_number
from models.weights import find_label_weights, find_weights

SHOWN_LENGTH = 40
MISSING = "missing"


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


class RowWeights(NamedTuple):
    """Weights of features, shape (n_scores, n_features), and what each of the scores is."""

    of_features: np.ndarray
    of: list[str]


def explain_rows(
    loaded: LoadedModel, df: pd.DataFrame, predicted: np.ndarray | None = None
) -> list[Reasons]:
    """Return what the prediction for each row comes from.

    Parameters
    ----------
    loaded : LoadedModel
        A model of a table.
    df : DataFrame of shape (n_rows, n_columns)
        Typed features.
    predicted : ndarray, optional
        The outputs of the model for these rows, if they are known already.
    """
    if predicted is None:
        predicted = loaded.prediction.score(loaded.pipeline, loaded.decision.labels, df)
    weights = find_row_weights(loaded)
    if weights is not None:
        return list_contributions(loaded, df, predicted, weights)
    return list_changes(loaded, df, predicted)


def choose_kind(loaded: LoadedModel) -> Literal["contributions", "changes"]:
    """Return the kind of the explanations that a model of a table has."""
    return "changes" if find_row_weights(loaded) is None else "contributions"


def find_row_weights(loaded: LoadedModel) -> RowWeights | None:
    """Return the weights of a linear model: of two labels, of each of several, or of a number."""
    estimator: BaseEstimator = loaded.pipeline[-1]
    labels = loaded.decision.labels
    if len(labels) > 2:
        found = find_label_weights(estimator)
        if found is None:
            return None
        order = [list(estimator.classes_).index(label) for label in labels]
        return RowWeights(
            found[order], [f"the score of {each}, less the mean of all labels" for each in labels]
        )
    if labels:
        of_two = find_weights(estimator)
        if of_two is None:
            return None
        # A calibrated classifier scales its scores.
        scale = float(getattr(estimator, "slope", 1))
        sign = 1 if estimator.classes_[1] == labels[-1] else -1
        weights = sign * scale * of_two[0]
        return RowWeights(weights[np.newaxis], [f"the log-odds of {labels[-1]}"])
    of = loaded.description.data.target
    if isinstance(estimator, LogRegressor):
        estimator, of = estimator.estimator_, f"log(1 + {of})"
    if isinstance(estimator, DenseRegressor):
        estimator = estimator.estimator_
    weights = np.asarray(getattr(estimator, "coef_", 0))
    return RowWeights(weights[np.newaxis], [of]) if weights.ndim == 1 else None


def list_contributions(
    loaded: LoadedModel, df: pd.DataFrame, predicted: np.ndarray, weights: RowWeights
) -> list[Reasons]:
    """Return the sum of weight times feature, for each column and each feature of a text."""
    X = sp.csr_matrix(loaded.pipeline[:-1].transform(df))
    n_rows = len(df)
    scores = predicted.argmax(axis=1) if predicted.ndim > 1 else np.zeros(n_rows, int)
    rows = np.repeat(np.arange(n_rows), np.diff(X.indptr))
    contributed = X.data * weights.of_features[scores[rows], X.indices]
    used, places = np.unique(X.indices, return_inverse=True)
    sources = list(zip(*name_sources(loaded.pipeline["columns"], used), strict=True))
    numbers = {source: number for number, source in enumerate(dict.fromkeys(sources))}
    number_of = np.array([numbers[source] for source in sources], int)
    # Entries of the same row and source are added up.
    sums = sp.csr_matrix((contributed, (rows, number_of[places])), shape=(n_rows, len(numbers)))
    shown = loaded.description.source_names
    names = [shown[name] if is_column else name for name, is_column in numbers]
    values = [
        list(map(show, df[name].tolist())) if is_column else [""] * n_rows
        for name, is_column in numbers
    ]
    explained = []
    for row in range(n_rows):
        entries = slice(sums.indptr[row], sums.indptr[row + 1])
        found = [
            Reason(names[number], values[number][row], change)
            for number, change in zip(
                sums.indices[entries].tolist(), sums.data[entries].tolist(), strict=True
            )
        ]
        explained.append(Reasons("contributions", weights.of[scores[row]], rank(found)))
    return explained


def forget_names(transformer: Any) -> Any:
    """Return a copy of a fitted transformer that does not insist on the names of its columns."""
    if isinstance(transformer, Pipeline):
        return Pipeline([(name, forget_names(step)) for name, step in transformer.steps])
    if isinstance(transformer, FeatureUnion):
        branches = [(name, forget_names(each)) for name, each in transformer.transformer_list]
        return FeatureUnion(branches, verbose_feature_names_out=False)
    copied = copy.copy(transformer)
    if hasattr(copied, "feature_names_in_"):
        del copied.feature_names_in_
    return copied


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
        unnamed = forget_names(transformer)
        marked = unnamed.get_feature_names_out([f"\0{n}\0" for n in range(len(read))])
        for place, feature in enumerate(used.tolist()):
            if 0 <= feature - first < len(marked):
                names[place] = read[int(str(marked[feature - first]).split("\0")[1])]
                is_column[place] = True
    return names, is_column


def list_changes(loaded: LoadedModel, df: pd.DataFrame, predicted: np.ndarray) -> list[Reasons]:
    """Return by how much each value changes the prediction, compared with the usual one."""
    prediction, labels = loaded.prediction, loaded.decision.labels
    names = loaded.description.source_names
    before = prediction.choose(predicted, predicted)
    found: list[list[Reason]] = [[] for _ in range(len(df))]
    for some, rows in replace_each(df, loaded.description.columns):
        outputs = prediction.score(loaded.pipeline, labels, rows)
        for column, changed in zip(some, np.split(outputs, len(some)), strict=True):
            changes = before - prediction.choose(changed, predicted)
            name, values = names[column.name], df[column.name].tolist()
            for reasons, value, change in zip(found, values, changes.tolist(), strict=True):
                if change:
                    reasons.append(Reason(name, show(value), change))
    of = [loaded.description.data.target] * len(df)
    if labels:
        chosen = predicted.argmax(axis=1) if predicted.ndim > 1 else np.full(len(df), -1)
        of = [f"the probability of {labels[place]}" for place in chosen.tolist()]
    return [Reasons("changes", each, rank(row)) for each, row in zip(of, found, strict=True)]


def show(value: Any) -> str:
    """Return a typed value for people."""
    if pd.isna(value) or value == "":
        return MISSING
    if isinstance(value, float):
        return show_number(value)
    text = value.isoformat().removesuffix("T00:00:00") if isinstance(value, pd.Timestamp) else value
    return text if len(text) <= SHOWN_LENGTH else f"{text[:SHOWN_LENGTH]}..."


def show_change(change: float, digits: int) -> str:
    """Return a number with its sign: so many significant digits, and all before the point."""
    is_long = 10**digits <= abs(change) < 1e15
    return f"{change:+.0f}" if is_long else f"{change:+.{digits}g}"


def rank(reasons: list[Reason]) -> list[Reason]:
    """Return the reasons that change something, the strongest of either sign first."""
    kept = [reason for reason in reasons if reason.change]
    return sorted(kept, key=lambda reason: -abs(reason.change))
