"""Score messages or rows together with an explanation of each, as text for a column of a file."""

import json
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from core.errors import UserError
from models.explanation import explain_all, rank_words
from models.loaded import LoadedModel
from models.row_explanation import choose_kind, explain_rows, show_change
from models.weights import find_weights

# So many of the strongest are written for each row.
MOST = 8


def name_explanation(loaded: LoadedModel) -> str:
    """Return the name of the column with explanations.

    Raises
    ------
    UserError
        If the model is one of messages that cannot be explained.
    """
    if loaded.rows is not None:
        return choose_kind(loaded)
    if explain_messages(loaded, []) is None:
        raise UserError(
            f"{loaded.path} cannot explain messages: it is not linear, or does not choose between "
            "two labels",
            "leave out --explain",
        )
    return "contributions"


def score_explained(
    model: Pipeline, loaded: LoadedModel, inputs: list[str] | pd.DataFrame
) -> tuple[np.ndarray, list[str]]:
    """Return the outputs of a model, and the explanation of each.

    Parameters
    ----------
    model : Pipeline
        The pipeline of the model.
    loaded : LoadedModel
        The model; it may lack the pipeline, as in another process.
    inputs : list of str or DataFrame
        Messages, or typed rows.
    """
    loaded = replace(loaded, pipeline=model)
    found = loaded.prediction.score(model, loaded.decision.labels, inputs)
    if not len(inputs):
        return found, []
    if isinstance(inputs, list):
        return found, explain_messages(loaded, inputs) or []
    return found, [
        write_reasons(
            (f"{quote(reason.name, '=')}={quote(reason.value)}", reason.change)
            if reason.value
            else (quote(reason.name), reason.change)
            for reason in reasons.ranked[:MOST]
        )
        for reasons in explain_rows(loaded, inputs, found)
    ]


def explain_messages(loaded: LoadedModel, texts: list[str]) -> list[str] | None:
    """Return the strongest words of each message; None if the model does not show them."""
    positive = loaded.description.data.positive
    if positive is None or find_weights(loaded.pipeline[-1]) is None:
        return None
    explained = []
    for explanation in explain_all(loaded.pipeline, positive, texts):
        ranked = [(word, change) for word, change in rank_words(explanation)[:MOST] if change]
        explained.append(write_reasons((quote(word), change) for word, change in ranked))
    return explained


def write_reasons(reasons: Iterable[tuple[str, float]]) -> str:
    """Return names with what they change, such as 'carat=0.3: -320.1; cut=Ideal: +12.5'."""
    return "; ".join(f"{name}: {show_change(change, 4)}" for name, change in reasons)


def quote(text: str, *more: str) -> str:
    """Return a name or a value for a list that semicolons separate.

    If it contains one, a double quote, a character that cannot be printed, or one of ``more``, it
    is written as a JSON string.
    """
    if text.isprintable() and not any(each in text for each in (";", '"', *more)):
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())
