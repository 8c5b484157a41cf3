"""What a stored model of a table reads."""

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

# The kind of the columns that a branch of ``features.branches`` reads.
KINDS = {"numbers": "number", "ordinals": "ordinal", "dates": "date", "categories": "category"}
# The type of a column of each kind.
DTYPES = {
    "text": "str",
    "number": "float64",
    "category": "str",
    "ordinal": "str",
    "date": "datetime64[us]",
}
# Kinds of which a missing value can reach the estimator.
OPTIONAL_KINDS = ("number", "ordinal", "date")


def list_inputs(model: Pipeline) -> dict[str, str]:
    """Return the kind of each column that a model of tables reads; none for one of messages."""
    rows = model.named_steps.get("rows")
    if rows is None:
        return {}
    kinds = dict.fromkeys((rows.kw_args or {}).get("texts", ()), "text")
    for branch, _, read in model["columns"].transformers_:
        if branch in KINDS:
            kinds |= dict.fromkeys(read, KINDS[branch])
    return kinds


def list_orders(model: Pipeline) -> dict[str, list[str]]:
    """Return the values of each ordinal column that a model reads, lowest first."""
    branch = model["columns"].named_transformers_.get("ordinals")
    if branch is None:
        return {}
    values = branch if isinstance(branch, Pipeline) else branch.transformer_list[0][1]
    return {column: list(order) for column, order in values["ranks"].kw_args["orders"].items()}


def make_frame(kinds: dict[str, str], values: dict[str, list]) -> pd.DataFrame:
    """Return a table with a typed column for each kind."""
    return pd.DataFrame(
        {column: pd.Series(values[column], dtype=DTYPES[kind]) for column, kind in kinds.items()}
    )


def find_needed(model: Pipeline) -> list[str]:
    """Return the columns that a model cannot predict without.

    Without imputation a missing number reaches the estimator, and only some of them accept it.
    """
    kinds = list_inputs(model)
    missing = make_frame(kinds, {column: [None] for column in kinds})
    try:
        is_accepted = np.isfinite(predict_any(model, missing)).all()
    except ValueError:
        is_accepted = False
    return [] if is_accepted else [c for c, kind in kinds.items() if kind in OPTIONAL_KINDS]


def predict_any(model: Pipeline, inputs: object) -> np.ndarray:
    """Return the probabilities of labels, or the numbers that a model predicts."""
    if hasattr(model[-1], "predict_proba"):
        return model.predict_proba(inputs)
    return np.asarray(model.predict(inputs), float)
