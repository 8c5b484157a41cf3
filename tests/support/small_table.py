"""A made-up table with columns of every kind, and features of it."""

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from features.branches import (
    FeatureParams,
    assemble,
    build_columns,
    freeze_vocabularies,
    select_columns,
)
from features.tables import prepare_rows
from records.schema import Schema
from tests.support.schemas import make_schema
from text.tokens import TextParams

SIZES = ["small", "medium", "large"]
TEXT = TextParams(lowercase=True, stemmer="snowball", stop_words="none")
TARGETS: dict[str, dict[str, object]] = {
    "binary": {"labels": ["no", "yes"], "positive": "yes"},
    "multiclass": {"labels": ["bad", "fair", "good"], "positive": None},
    "regression": {"labels": [], "positive": None},
}


def make_feature_params(
    vectorizer: str = "tfidf", statistics: bool = True, **changes: object
) -> FeatureParams:
    """Return parameters of all branches, with some values changed."""
    branch = {
        "enabled": True,
        "vectorizer": vectorizer,
        "min_ngram": 1,
        "max_ngram": 3,
        "min_df": 1,
        "max_features": 64 if vectorizer == "hashing" else None,
        "sublinear_tf": True,
    }
    usual: dict[str, object] = {
        "words": branch,
        "characters": branch,
        "statistics": {"enabled": statistics},
        "numbers": {"imputation": "median", "missing_indicator": True, "scaling": "standard"},
        "categories": {"max_one_hot": 4, "min_count": 3},
        "dates": {"cyclic": False},
    }
    return FeatureParams.model_validate(usual | changes)


def make_table_schema(task: str = "binary", **changes: object) -> Schema:
    """Return the schema of ``make_rows``, with some values changed."""
    usual: dict[str, object] = {
        "task": task,
        "target": "target",
        "text": ["title", "note"],
        "number": ["price", "weight"],
        "category": ["colour", "town"],
        "ordinal": [{"column": "size", "order": SIZES}],
        "date": ["sold", "seen"],
    }
    return make_schema(**usual | TARGETS[task] | changes)


def make_rows(n_rows: int = 120, task: str = "binary", seed: int = 0) -> pd.DataFrame:
    """Return random rows with a target; every column but the texts lacks some values.

    There are three colours and twelve towns; ``sold`` is a day, ``seen`` a time.
    """
    rng = np.random.default_rng(seed)
    seconds = pd.to_timedelta(rng.integers(0, 10**8, n_rows), unit="s")
    labels = TARGETS[task]["labels"]
    df = pd.DataFrame(
        {
            "title": rng.choice(["old chair", "new table", "chair and table", ""], n_rows),
            "note": rng.choice(["call me", "FREE delivery", "as new"], n_rows),
            "price": rng.lognormal(3, 1, n_rows),
            "weight": rng.normal(0, 10, n_rows),
            "colour": rng.choice(["red", "green", "blue"], n_rows),
            "town": rng.choice([f"town {number}" for number in range(12)], n_rows),
            "size": rng.choice(SIZES, n_rows),
            "sold": (pd.Timestamp("2020-01-01") + seconds).normalize(),
            "seen": pd.Timestamp("2020-01-01") + seconds,
        }
    )
    for column in list(df)[2:]:
        df.loc[rng.random(n_rows) < 0.1, column] = None
    target = pd.Series(rng.choice(labels, n_rows) if labels else rng.normal(0, 1, n_rows))
    return df.assign(target=pd.Categorical(target, labels) if labels else target)


def fit_table(
    df: pd.DataFrame, schema: Schema, params: FeatureParams | None = None
) -> ColumnTransformer:
    """Return features that are fitted on rows as received."""
    columns = build_columns(schema, params or make_feature_params())
    return columns.fit(prepare_table(df, schema), df[schema.target].to_numpy())


def prepare_table(df: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Return the columns that features are made of."""
    return select_columns(prepare_rows(df, schema.text, **TEXT.model_dump()), schema)


def fit_pipeline(task: str) -> Pipeline:
    """Return the transformer of rows as received, as ``feature_engineering`` stores it."""
    schema = make_table_schema(task)
    columns = fit_table(make_rows(task=task), schema)
    freeze_vocabularies(columns)
    return assemble(schema, columns, TEXT)
