"""Small tables of each task that went through the stages, from a CSV to metrics."""

from pathlib import Path

import numpy as np
import pandas as pd
import yaml

import data_validation
import feature_engineering
import model_building
import model_evaluation
import preprocessing
import robustness
from records.additions import FIRST_LINE

ROOT = Path(__file__).parents[2]
N_ROWS = 300
SIZES = ["small", "medium", "large"]
TASKS = {
    "binary": {"labels": ["no", "yes"], "positive": "yes", "estimator": "logistic_regression"},
    "multiclass": {"labels": [], "positive": None, "estimator": "hist_gradient_boosting"},
    "regression": {"labels": [], "positive": None, "estimator": "ridge"},
}
SCORES = {"binary": "matthews_corrcoef", "multiclass": "accuracy", "regression": "r2"}


def make_source(task: str) -> pd.DataFrame:
    """Return rows as a source has them: decimal commas, missing values, German dates."""
    rng = np.random.default_rng(0)
    price, size = rng.normal(100, 30, N_ROWS).round(2), rng.integers(0, 3, N_ROWS)
    colour = rng.choice(["red", "green", "blue"], N_ROWS)
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, N_ROWS), unit="D")
    value = price + 40 * size + 25 * (colour == "red") + rng.normal(0, 10, N_ROWS)
    low, high = np.quantile(value, [0.3, 0.7])
    targets = {
        "binary": np.where(value > low, "yes", "no"),
        "multiclass": np.select([value < low, value > high], ["cheap", "dear"], "fair"),
        "regression": [f"{each:.2f}".replace(".", ",") for each in value],
    }
    df = pd.DataFrame(
        {
            "key": [f"k{number}" for number in range(N_ROWS)],
            "group": colour,
            "price": [f"{each:.2f}".replace(".", ",") for each in price],
            "size": np.array(SIZES)[size],
            "sold": days.strftime("%d.%m.%Y"),
            "note": rng.choice(["as new", "call me", "FREE delivery"], N_ROWS),
            "target": targets[task],
        }
    )
    for column in ("group", "price", "size", "sold"):
        df.loc[rng.random(N_ROWS) < 0.05, column] = "?"
    return df


def build(task: str, folder: Path) -> None:
    """Run the stages on a small table; the folder gets params.yaml and their outputs."""
    own = TASKS[task]
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["schema"].update(
        task=task,
        target="target",
        labels=own["labels"],
        positive=own["positive"],
        text=["note"],
        number=["price"],
        category=["colour"],
        ordinal=[{"column": "size", "order": SIZES}],
        date=["sold"],
        id=["key"],
    )
    params["model"] = {
        "name": "goods",
        "description": "Predicts the value of goods",
        "units": [{"column": "price", "unit": "EUR"}],
    }
    params["data_validation"].update(
        separator=";",
        quoting=True,
        columns=[],
        rename=[{"column": "group", "to": "colour"}],
        null_markers=["?"],
        decimal=",",
        date_formats=[{"column": "sold", "format": "%d.%m.%Y"}],
        constraints=[{"column": "price", "above": 0}],
        min_rows_per_label=10,
        max_rejected_share=0.1,
    )
    params["feature_engineering"]["characters"]["enabled"] = False
    params["model_building"].update(
        estimator=own["estimator"], params={}, class_weight=None, random_state=0
    )
    params["model_building"]["augmentation"]["enabled"] = False
    params["model_building"]["search"].update(cv=3, scoring=SCORES[task])
    params["model_evaluation"].update(threshold=0.5, bootstrap_samples=100)
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    for name in ("data/raw", "data/interim", "data/processed", "models", "reports"):
        (folder / name).mkdir(parents=True)
    make_source(task).to_csv(folder / "data/raw/source", sep=";", index=False)
    (folder / "data/raw/additions").write_bytes(FIRST_LINE)
    run_stages(folder)


def run_stages(folder: Path) -> None:
    """Run all stages after data_ingestion."""
    tables = {name: f"data/interim/{name}.parquet" for name in ("rows", "train", "test")}
    train = {"train": tables["train"], "test": tables["test"]}
    features = {f"{name}-features": f"data/processed/{name}.npz" for name in train}
    model = {"model": "models/model.skops", "points": "models/model.points.json"}
    calls = (
        (
            data_validation,
            {
                "input": "data/raw/source",
                "additions": "data/raw/additions",
                "output": tables["rows"],
                "rejected": "data/interim/rejected.csv",
                "report": "reports/validation.json",
            },
        ),
        (
            preprocessing,
            {"input": tables["rows"], **train, "report": "reports/preprocessing.json"},
        ),
        (feature_engineering, {**train, **features, "transformer": "models/features.skops"}),
        (
            model_building,
            {
                "train": tables["train"],
                "features": features["train-features"],
                "transformer": "models/features.skops",
                **model,
                "cv-results": "reports/cv_results.csv",
            },
        ),
        (
            robustness,
            {"model": model["model"], **train, "output": "reports/robustness.json"},
        ),
        (
            model_evaluation,
            {
                **model,
                **train,
                **features,
                "cv-results": "reports/cv_results.csv",
                "robustness": "reports/robustness.json",
                "metrics": "reports/metrics.json",
                "intervals": "reports/intervals.json",
                "plots": "reports/plots",
                "errors": "reports/errors.csv",
                "report": "reports/report.html",
                "reference": "models/reference.parquet",
            },
        ),
    )
    for stage, paths in calls:
        argv = [f"--{name}={folder / path}" for name, path in paths.items()]
        stage.main([f"--params={folder / 'params.yaml'}", *argv])
