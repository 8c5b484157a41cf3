"""Score a set of rows with a model, and compute its metrics."""

import pandas as pd
import scipy.sparse as sp
from pydantic import Field, NonNegativeInt
from sklearn.pipeline import Pipeline

from core.errors import UserError
from core.params import Params
from evaluation.intervals import evaluate
from models.probability import predict_positive


class EvaluationParams(Params):
    """The section ``model_evaluation`` of params.yaml."""

    threshold: float = Field(gt=0, lt=1)
    max_fpr: float = Field(ge=0, lt=1)
    bootstrap_samples: int = Field(ge=100)
    random_state: NonNegativeInt


def score(model: Pipeline, df: pd.DataFrame, X: sp.csr_matrix) -> pd.DataFrame:
    """Add columns ``is_positive`` and ``probability`` (of the positive label) to ``df``.

    Raises
    ------
    UserError
        If the number of features, or the labels, differ from those of the model.
    """
    classifier = model[-1]
    if X.shape[1] != classifier.n_features_in_:
        raise UserError(
            f"the matrix has {X.shape[1]} features, the model {classifier.n_features_in_}",
            "run 'dvc repro' to make both again",
        )
    labels = list(df["label"].cat.categories)
    if sorted(labels) != sorted(classifier.classes_):
        raise UserError(
            f"the table's labels are {labels}, the model's {list(classifier.classes_)}",
            "run 'dvc repro' to make both again",
        )
    probability = predict_positive(classifier, labels[1], X)
    return df.assign(is_positive=df["label"] == labels[1], probability=probability)


def compute_metrics(df: pd.DataFrame, params: EvaluationParams) -> tuple[dict, dict]:
    """Return the metrics of one scored set, and the interval of each."""
    negative, positive = df["label"].cat.categories
    values, intervals = evaluate(
        df["is_positive"].to_numpy(),
        df["probability"].to_numpy(),
        df["group"].to_numpy(),
        params.threshold,
        params.max_fpr,
        params.bootstrap_samples,
        params.random_state,
    )
    # The names of recall and false-positive rate in the literature on spam filters.
    caught, blocked = f"{positive}_caught", f"{negative}_blocked"
    values |= {caught: values["recall"], blocked: values.pop("fpr")}
    intervals |= {caught: intervals["recall"], blocked: intervals.pop("fpr")}
    return values, intervals
