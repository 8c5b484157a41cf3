"""The table of signals in which new data is compared with the test set: one row for each row."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel
from sklearn.pipeline import Pipeline

from features.branches import find_unseen
from features.tables import find_places
from models.description import Description, read_limit
from monitoring.trigrams import Trigrams
from records.tasks import TASKS
from text.normalise import normalise_text
from text.statistics import CAPITALS

Kind = Literal["probability", "label", "number", "date", "ordinal", "category", "share", "flag"]
# Stands for every value of a category that no training row has.
UNSEEN = "(unseen)"
# Significant digits: the last ones depend on the processor.
DIGITS = 6
DAY = pd.Timedelta(days=1)
# Of each text, with the kind of signal.
TEXT_SIGNALS: dict[str, Kind] = {
    "length": "number",
    "unseen trigrams": "share",
    "non-ASCII": "flag",
    "capitals": "number",
}


class Signal(BaseModel):
    """One column of the table of signals.

    Attributes
    ----------
    name : str
        The feature as the source names it, with what is measured of a text; or what is predicted.
    kind : str
        Decides how it is compared. A date is the number of days since 1970, an ordinal value its
        place in the order, a share the mean over the rows of numbers from 0 to 1.
    may_lack : bool
        Whether a value can be missing.
    low, high : float or None
        The range of the training rows.
    order : list of str
        The values of an ordinal column, lowest first.
    """

    name: str
    kind: Kind
    may_lack: bool = False
    low: float | None = None
    high: float | None = None
    order: list[str] = []


def name_prediction(description: Description) -> str:
    """Return the name of the signal that is the prediction."""
    positive = description.data.positive
    return f"predicted: {description.data.target if positive is None else positive}"


def list_signals(description: Description) -> list[Signal]:
    """Return the signals of a model's data: of its features first, of its prediction last."""
    names, found = description.source_names, []
    for column in description.columns:
        name = names[column.name]
        if column.kind == "text":
            found += [
                Signal(
                    name=f"{name}: {what}",
                    kind=kind,
                    # Only one of them, for all lack the same rows.
                    may_lack=what == "length" and not description.is_messages,
                )
                for what, kind in TEXT_SIGNALS.items()
            ]
            continue
        low, high = (
            read_number(read_limit(column, end)) for end in (column.minimum, column.maximum)
        )
        order = column.values if column.kind == "ordinal" else []  # noqa: PD011
        signal = Signal(name=name, kind=column.kind, may_lack=True, low=low, high=high, order=order)
        found.append(signal)
    kind: Kind = "number"
    if TASKS[description.data.task].has_classes:
        kind = "label" if description.data.positive is None else "probability"
    return [*found, Signal(name=name_prediction(description), kind=kind)]


def read_number(value: Any) -> float | None:
    """Return a number as it is, a date as days since 1970."""
    return (value - pd.Timestamp(0)) / DAY if isinstance(value, pd.Timestamp) else value


def show_value(signal: Signal, value: float) -> str:
    """Return a number as people read it: a date, a value of an order, or with four digits."""
    if signal.kind == "date":
        return f"{pd.Timestamp(0) + pd.Timedelta(days=value):%Y-%m-%d}"
    if signal.order:
        return signal.order[round(value)]
    return f"{value:.4g}"


def measure_signals(
    model: Pipeline,
    description: Description,
    inputs: Sequence[str] | pd.DataFrame,
    predicted: np.ndarray,
    seen: Mapping[str, Trigrams],
) -> pd.DataFrame:
    """Return the signals of some rows.

    Parameters
    ----------
    model, description
        The model, and what it takes.
    inputs : sequence of str or DataFrame
        Messages, or typed features.
    predicted : ndarray of float, shape (n_rows,) or (n_rows, n_labels)
        Probability of the positive label, of each label, or the predicted number.
    seen : mapping of str to Trigrams
        Those of the training rows, by text column.

    Returns
    -------
    DataFrame of shape (n_rows, n_signals)
        In the order of ``list_signals``.
    """
    names, found = description.source_names, {}
    df = inputs if isinstance(inputs, pd.DataFrame) else None
    unseen = {} if df is None or description.is_messages else find_unseen(model["columns"], df)
    for column in description.columns:
        name = names[column.name]
        if column.kind == "text":
            texts = pd.Series(inputs) if df is None else df[column.name]
            for what, values in measure_texts(texts, seen[column.name]).items():
                found[f"{name}: {what}"] = values
            continue
        assert df is not None
        of_column = df[column.name]
        if column.kind == "category":
            known = of_column.astype(object)
            is_unseen = unseen.get(column.name, np.zeros(len(df), bool))
            found[name] = pd.Series(known.mask(is_unseen, UNSEEN), dtype="str").array
        elif column.kind == "ordinal":
            places = find_places(of_column, column.values).astype(float)
            found[name] = np.where(places < 0, np.nan, places)
        elif column.kind == "date":
            found[name] = ((of_column - pd.Timestamp(0)) / DAY).to_numpy(float)
        else:
            found[name] = of_column.to_numpy(float)
    found[name_prediction(description)] = summarise_predictions(predicted, description.classes)
    return pd.DataFrame(
        {name: round_numbers(values) for name, values in found.items()},
    )


def measure_texts(texts: pd.Series, seen: Trigrams) -> dict[str, np.ndarray]:
    """Return the signals of texts; a missing one has no length, and nothing else either."""
    is_missing = texts.isna().to_numpy()
    normalised = [normalise_text(text) for text in texts.fillna("").tolist()]
    lengths = np.array([len(text) for text in normalised], float)
    capitals = np.array([count_capitals(text) for text in normalised], float)
    return {
        "length": np.where(is_missing, np.nan, lengths),
        "unseen trigrams": seen.measure_unseen(normalised),
        "non-ASCII": np.array([not text.isascii() for text in normalised], bool),
        "capitals": capitals / np.maximum(lengths, 1),
    }


def count_capitals(text: str) -> int:
    """Return how many ASCII capitals a text has."""
    encoded = text.encode("utf-8", "surrogatepass")
    return len(encoded) - len(encoded.translate(None, CAPITALS))


def summarise_predictions(predicted: np.ndarray, labels: Sequence[str]) -> Any:
    """Return the most probable label of each row, or the only number."""
    if predicted.ndim == 1:
        return predicted
    return pd.array(np.array(labels, object)[predicted.argmax(axis=1)], dtype="str")


def round_numbers(values: Any) -> Any:
    """Round numbers to ``DIGITS`` significant digits, so that equal rows have equal signals."""
    if not isinstance(values, np.ndarray) or values.dtype != float:
        return values
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        scale = 10.0 ** (DIGITS - 1 - np.floor(np.log10(np.abs(values))))
        rounded = np.round(values * scale) / scale
    return np.where(np.isfinite(rounded), rounded, values)
