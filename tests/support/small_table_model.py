"""Models of a made-up table, one for each task, and the files that the service reads."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline

from core.params import read_params
from features.branches import assemble, build_columns, freeze_vocabularies
from features.matrices import as_float32
from models.conformal import PredictionInterval
from models.description import CardParams, Unit, add_description, describe_model
from models.store import save_model
from models.threshold import OperatingPoint, name_points, write_points
from records.validation_params import ValidationParams
from tests.support.running_service import PNG, ROOT, measure, measure_folder
from tests.support.small_table import (
    TEXT,
    make_feature_params,
    make_rows,
    make_table_schema,
    prepare_table,
)

UNITS = {"price": "EUR", "weight": "kg"}
METRICS: dict[str, dict[str, Any]] = {
    "binary": {"test": {"recall": 0.9, "fpr": 0.1, "accuracy": 0.8, "f1": 0.7}},
    "multiclass": {
        "test": {"accuracy": 0.8, "macro_f1": 0.7, "log_loss": 0.5},
        "labels": {"bad": {"rows": 10, "precision": 0.5, "recall": 0.6, "f1": 0.55}},
    },
    "regression": {
        "test": {"mae": 0.5, "r2": 0.25, "mape": 0.125, "total_bias": -0.01},
        "baseline": {"mae": 2.0},
        "prediction_intervals": {"coverage": 0.9, "margin": 1.5},
    },
}


def fit_table_model(task: str) -> Pipeline:
    """Return a linear model that says what it takes."""
    schema = make_table_schema(task)
    df = make_rows(task=task)
    df["price"] = df["price"].round(2)
    target = df["target"]
    if task == "regression":
        df["target"] = target = 1000 + 10 * target + df["price"].fillna(20)
    columns = build_columns(schema, make_feature_params(statistics=False))
    X = as_float32(columns.fit_transform(prepare_table(df, schema), target.to_numpy()))
    freeze_vocabularies(columns)
    estimator = Ridge() if task == "regression" else LogisticRegression(max_iter=200)
    estimator.fit(X, np.asarray(target, float if task == "regression" else object))
    model = Pipeline([*assemble(schema, columns, TEXT).steps, ("estimator", estimator)])
    values = read_params(ROOT / "params.yaml", "data_validation", ValidationParams)
    units = UNITS | ({"target": "EUR"} if task == "regression" else {})
    card = CardParams(
        name=f"small-{task}",
        description="Predicts from a small table",
        units=[Unit(column=column, unit=unit) for column, unit in units.items()],
    )
    return add_description(model, describe_model(model, df, schema, values, card))


def make_table_folder(folder: Path, task: str) -> Path:
    """Make a folder such as the pipeline leaves, with a model of a table."""
    folder.mkdir(exist_ok=True)
    params = (ROOT / "params.yaml").read_text()
    params = re.sub(r"^  threshold: .*$", "  threshold: 0.5", params, flags=re.MULTILINE)
    (folder / "params.yaml").write_text(params)
    model = folder / "models" / "model.skops"
    save_model(fit_table_model(task), model)
    points = [OperatingPoint(threshold=0.25, recall=0.5, fpr=0.0)]
    intervals = [PredictionInterval(coverage=0.9, margin=15)] if task == "regression" else []
    write_points(points, model, name_points(model), intervals)
    plots = folder / "reports" / "plots" / "images"
    plots.mkdir(parents=True)
    (plots / "importance.png").write_bytes(PNG)
    metrics, spread = folder / "reports" / "metrics.json", folder / "reports" / "intervals.json"
    measured = METRICS[task]
    metrics.write_text(json.dumps({**measured, "train": measured["test"]}))
    ends = {name: {"low": n - 0.01, "high": n + 0.01} for name, n in measured["test"].items()}
    spread.write_text(json.dumps({"test": ends}))
    outs = [measure(metrics), measure(spread), measure_folder(plots.parent)]
    stages = {
        "model_building": {"deps": [], "outs": [measure(model)]},
        "model_evaluation": {"deps": [measure(model)], "outs": outs},
        "robustness": {"deps": [measure(model)], "outs": []},
    }
    (folder / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))
    return folder
