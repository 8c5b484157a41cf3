"""Tables of three tasks with a model, as the stages before model_evaluation write them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from features.matrices import as_float32, save_matrix
from models.store import read_digest, save_model
from tests.support.descriptions import describe
from tests.support.schemas import make_schema

FEATURES = ["width", "height"]
CV_RESULTS = "rank_test_score,params,scoring,mean_test_score,std_test_score\n1,{},score,0.9,0.01\n"


@dataclass(frozen=True)
class Example:
    """A table's target, what params.yaml says of it, and the estimator to fit."""

    target: pd.Series
    schema: dict[str, Any]
    estimator: BaseEstimator
    points: dict[str, Any]


def make_features(n_rows: int) -> pd.DataFrame:
    """Return two columns of numbers, a category that is no feature, groups and rows."""
    rng = np.random.default_rng(0)
    df = pd.DataFrame(rng.normal(size=(n_rows, 2)), columns=FEATURES)
    shops = pd.Series(np.where(np.arange(n_rows) % 3 == 0, "north", "south"), dtype="str")
    return df.assign(shop=shops, group=np.arange(n_rows) // 2, row=np.arange(2, n_rows + 2))


def make_examples(n_rows: int) -> dict[str, Example]:
    """Return an example of each task, with some noise between features and target."""
    df = make_features(n_rows)
    value = df["width"] * 3 + np.random.default_rng(1).normal(size=n_rows)
    cut = pd.cut(value, [-np.inf, -1, 1, np.inf], labels=["low", "middle", "high"])
    plain = pd.Series(pd.Categorical(cut, categories=["low", "middle", "high"]))
    two = pd.Series(pd.Categorical(np.where(value > 0, "yes", "no"), categories=["no", "yes"]))
    point = {"threshold": 0.5, "recall": 0.9, "fpr": 0.0005}
    widths = [{"coverage": 0.5, "margin": 0.7}, {"coverage": 0.9, "margin": 1.7}]
    return {
        "binary": Example(
            two,
            {"labels": ["yes", "no"], "positive": "yes"},
            LogisticRegression(),
            {"points": [point]},
        ),
        "multiclass": Example(
            plain,
            {"labels": ["low", "middle", "high"], "positive": None},
            LogisticRegression(),
            {"points": []},
        ),
        "regression": Example(
            value + 10, {"labels": [], "positive": None}, Ridge(), {"intervals": widths}
        ),
    }


def write_example(task: str, folder: Path, n_rows: int = 120) -> dict[str, Any]:
    """Write what model_evaluation reads of a task's example; return its changes of params.yaml."""
    example = make_examples(n_rows)[task]
    df = make_features(n_rows).assign(size=example.target)
    is_test = df["group"] % 3 == 0
    sets = {"train": df[~is_test], "test": df[is_test]}
    columns = ColumnTransformer([("numbers", StandardScaler(), FEATURES)])
    steps = Pipeline(
        [
            ("rows", FunctionTransformer()),
            ("columns", columns),
            ("float32", FunctionTransformer(as_float32)),
        ]
    )
    y = sets["train"]["size"]
    labels = y.astype("str").to_numpy(object) if example.schema["labels"] else y
    X = steps.fit_transform(sets["train"][FEATURES])
    model = Pipeline([*steps.steps, ("estimator", example.estimator.fit(X, labels))])
    schema = {**example.schema, "task": task, "target": "size", "text": [], "number": FEATURES}
    schema["id"] = ["shop"]
    save_model(describe(model, sets["train"], make_schema(**schema)), folder / "model.skops")
    for name, table in sets.items():
        table.to_parquet(folder / f"{name}.parquet", index=False)
        save_matrix(steps.transform(table[FEATURES]), folder / f"{name}.npz")
    digest = read_digest(folder / "model.skops")
    points = {"model_sha256": digest, **example.points}
    (folder / "points.json").write_text(json.dumps(points))
    (folder / "cv.csv").write_text(CV_RESULTS)
    robustness = {"model_sha256": digest, "applies": False, "reason": "no messages"}
    (folder / "robustness.json").write_text(json.dumps(robustness))
    return {f"schema.{key}": value for key, value in schema.items()}
