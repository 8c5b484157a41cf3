"""A model that is fitted in milliseconds, by the functions that fit the pipeline's."""

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from core.params import read_params
from features.branches import assemble, build_columns, freeze_vocabularies
from features.matrices import as_float32
from models.description import CardParams, add_description, describe_model
from models.scoring import name_version
from records.validation_params import ValidationParams
from tests.support.schemas import MESSAGES
from tests.support.small_table import TEXT, make_feature_params
from text.tokens import prepare_messages

ROOT = Path(__file__).parents[2]
HAM = ["see you at home", "lunch today?", "ok thanks a lot", "how are you mum", "home by 6"]
SPAM = ["WIN cash now", "free prize, call 08001234567", "claim your PRIZE", "£500 cash", "txt WIN"]


def fit_model(
    classifier: ClassifierMixin | None = None,
    vectorizer: str = "tfidf",
    statistics: bool = True,
    **values: object,
) -> Pipeline:
    """Return a model of both kinds of n-grams, and of message statistics if asked for.

    ``values`` are changes of section ``data_validation``.
    """
    columns = build_columns(MESSAGES, make_feature_params(vectorizer, statistics))
    X = as_float32(columns.fit_transform(prepare_messages(HAM + SPAM, **TEXT.model_dump())))
    freeze_vocabularies(columns)
    y = np.array(["ham"] * len(HAM) + ["spam"] * len(SPAM), object)
    if classifier is None:
        # Of float64, as the pipeline's: another solver would keep the float32 of the features.
        classifier = LogisticRegression(
            C=100, solver="liblinear", dual=True, max_iter=1000, random_state=0
        )
    model = Pipeline(
        [*assemble(MESSAGES, columns, TEXT).steps, ("classifier", classifier.fit(X, y))]
    )
    train = pd.DataFrame({"label": pd.Categorical(y, MESSAGES.classes)})
    params = read_params(ROOT / "params.yaml", "data_validation", ValidationParams)
    params = params.model_copy(update=values)
    card = CardParams(name="small", description="Classifies small messages", units=[])
    return add_description(model, describe_model(model, train, MESSAGES, params, card))


def read_version(path: Path) -> str:
    """Return the version of a model's file."""
    return name_version(path.read_bytes())
