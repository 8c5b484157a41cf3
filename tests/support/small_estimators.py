"""Every estimator of every task, fitted on few rows by the functions that fit the pipeline's."""

import functools
import importlib.util
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from models.cross_validation import Trained, fit_best
from models.estimators import ESTIMATORS, ModelParams
from models.folds import assign_folds
from models.store import save_model
from records.schema import Schema
from records.tasks import TASKS
from tests.support.schemas import make_schema

LABELS: dict[str, list[str]] = {
    "binary": ["no", "yes"],
    "multiclass": ["good", "bad", "fair"],
    "regression": [],
}
SMALL = {"max_iter": 5, "n_estimators": 5}
MANY_TREES = {
    "random_forest": "n_estimators",
    "extra_trees": "n_estimators",
    "ada_boost": "n_estimators",
    "gradient_boosting": "n_estimators",
    "hist_gradient_boosting": "max_iter",
    "xgboost": "n_estimators",
    "lightgbm": "n_estimators",
}
CASES = [
    (task, name)
    for task in TASKS
    for name, choice in ESTIMATORS.items()
    if choice.name_class(TASKS[task])
]
# Of packages that need not be installed.
OPTIONAL = ("xgboost", "lightgbm")
INSTALLED = [
    (task, name)
    for task, name in CASES
    if name not in OPTIONAL or importlib.util.find_spec(name) is not None
]


def make_model_params(estimator: str, task: str, **changes: object) -> ModelParams:
    """Return parameters of a small estimator, with some values changed."""
    small = MANY_TREES.get(estimator)
    usual: dict[str, object] = {
        "estimator": estimator,
        "params": {small: SMALL[small]} if small else {},
        "candidates": [],
        "target_transform": "none" if LABELS[task] else "log",
        "resampling": "none",
        "class_weight": "balanced",
        "random_state": 0,
        "augmentation": {"enabled": False, "min_words": 1, "max_words": 2, "most_typical": 3},
        "search": {
            "grid": {},
            "n_iter": None,
            "cv": 3,
            "scoring": TASKS[task].scores[0],
            "n_jobs": 1,
        },
    }
    return ModelParams.model_validate(usual | changes)


def make_task_schema(task: str) -> Schema:
    """Return the schema of a table of numbers."""
    labels = LABELS[task]
    positive = "yes" if task == "binary" else None
    return make_schema(task=task, labels=labels, positive=positive, text=[], number=["a", "b"])


def make_features(n_rows: int = 90, seed: int = 0) -> sp.csr_matrix:
    """Return random features of at least 0."""
    rng = np.random.default_rng(seed)
    return sp.csr_matrix(np.abs(rng.normal(0, 1, (n_rows, 4))), dtype=np.float32)


def make_targets(X: sp.csr_matrix, task: str) -> np.ndarray:
    """Return targets of at least 0 that depend on the first two features."""
    score = X[:, [0]].toarray().ravel() - X[:, [1]].toarray().ravel()
    labels = LABELS[task]
    if not labels:
        return np.exp(score)
    edges = np.quantile(score, np.arange(1, len(labels)) / len(labels))
    return np.array(labels, object)[np.digitize(score, edges)]


@functools.cache
def fit_usual(task: str, estimator: str) -> Trained:
    """Fit an estimator once; it must not be changed."""
    return fit_small(task, estimator)


def fit_small(task: str, estimator: str, **changes: object) -> Trained:
    """Fit an estimator, with some parameters changed."""
    X = make_features()
    y = make_targets(X, task)
    strata = np.unique(y, return_inverse=True)[1] if LABELS[task] else np.zeros(len(y), int)
    folds = assign_folds(strata, np.arange(len(y)), 3, 0)
    params = make_model_params(estimator, task, **changes)
    return fit_best(X, y, folds, make_task_schema(task), params)


def save_installed(folder: Path) -> None:
    """Fit and store every estimator that is installed."""
    for task, name in INSTALLED:
        save_model(fit_small(task, name).estimator, folder / f"{task}-{name}")
