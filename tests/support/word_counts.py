"""Small tables of messages, and a model that counts their words."""

import numpy as np
import pandas as pd
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import Pipeline

HAM = ["see you soon", "call me later", "home for dinner", "i am late", "ok see you", "later then"]
SPAM = ["win free cash", "free prize now", "claim £100 cash <b>now</b>"]


def make_table(ham: list[str], spam: list[str], row: int) -> pd.DataFrame:
    """Return messages of both labels, each a group of its own, numbered from ``row``."""
    df = pd.DataFrame({"label": ["ham"] * len(ham) + ["spam"] * len(spam), "text": ham + spam})
    df["label"] = pd.Categorical(df["label"], categories=["ham", "spam"])
    return df.assign(group=np.arange(len(df)), row=np.arange(row, row + len(df)))


def fit_columns(texts: pd.Series, vectorizer: BaseEstimator) -> ColumnTransformer:
    """Return the fitted transformer of a single branch."""
    steps = Pipeline([("counts", vectorizer)])
    columns = ColumnTransformer([("words", steps, "text")])
    return columns.fit(pd.DataFrame({"text": texts}))


def make_model(
    classifier: ClassifierMixin, df: pd.DataFrame, vectorizer: BaseEstimator | None = None
) -> tuple[Pipeline, sp.csr_matrix]:
    """Return a model of word counts that is fitted on a table, and the table's features."""
    columns = fit_columns(df["text"], vectorizer or CountVectorizer())
    X = sp.csr_matrix(columns.transform(df), dtype=np.float32)
    classifier.fit(X, df["label"].astype(object))
    return Pipeline([("columns", columns), ("classifier", classifier)]), X


TRAIN = make_table(HAM * 3, SPAM * 3, row=1)
# The last message is ham that looks like spam.
TEST = make_table([*HAM, "free cash prize"], SPAM, row=100)
