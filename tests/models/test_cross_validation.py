"""Tests of comparing, fitting and calibrating estimators."""

import os
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import log_loss

from core.errors import UserError
from models.cross_validation import fit_best, score_held_out
from models.folds import NEVER, list_splits
from models.resampling import RESAMPLERS
from models.store import load_model, save_model
from records.tasks import TASKS
from tests.support.schemas import MESSAGES
from tests.support.small_estimators import (
    INSTALLED,
    LABELS,
    OPTIONAL,
    fit_small,
    fit_usual,
    make_features,
    make_model_params,
    make_targets,
    make_task_schema,
)

ROOT = Path(__file__).parents[2]
CLASSIFIERS = [(task, name) for task, name in INSTALLED if LABELS[task]]
REGRESSORS = [name for task, name in INSTALLED if task == "regression"]
N_ROWS = 60


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Save every estimator in two processes whose hashes and addresses differ."""
    folders = []
    for seed in ("1", "2"):
        folder = tmp_path_factory.mktemp("estimators")
        script = (
            "import pathlib, sys\n"
            "from tests.support import small_estimators\n"
            "small_estimators.save_installed(pathlib.Path(sys.argv[1]))\n"
        )
        path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
        environment = {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": seed, "PYTHONPATH": path}
        subprocess.run(
            [sys.executable, "-c", script, str(folder)],
            env={**os.environ, **environment},
            check=True,
        )
        folders.append(folder)
    return folders


@pytest.mark.slow
@pytest.mark.parametrize(("task", "name"), INSTALLED)
def test_equal_estimators_of_two_processes_give_equal_bytes(folders, task, name):
    first, second = (folder / f"{task}-{name}" for folder in folders)
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(("task", "name"), INSTALLED)
def test_an_estimator_read_back_predicts_the_same(tmp_path, task, name):
    fitted, X = fit_usual(task, name).estimator, make_features(seed=1)
    save_model(fitted, tmp_path / "model.skops")
    found = load_model(tmp_path / "model.skops")
    assert (found.predict(X) == fitted.predict(X)).all()
    if LABELS[task]:
        assert (found.predict_proba(X) == fitted.predict_proba(X)).all()
        assert list(found.classes_) == sorted(LABELS[task])


@pytest.mark.parametrize(("task", "name"), CLASSIFIERS)
def test_every_classifier_gives_probabilities_and_beats_chance(task, name):
    trained = fit_usual(task, name)
    n_labels = len(LABELS[task])
    assert trained.outputs.shape == ((90,) if n_labels == 2 else (90, n_labels))
    assert trained.estimator.predict_proba(make_features(seed=1)).shape == (90, n_labels)
    score = trained.results["mean_test_score"].item()
    assert score == 0 if name == "dummy" else score > 0.2


@pytest.mark.parametrize("name", REGRESSORS)
def test_every_regressor_predicts_numbers(name):
    trained = fit_small("regression", name, target_transform="log")
    assert trained.outputs.shape == trained.truth.shape == (90,)
    poor = ("dummy", "lasso", "elastic_net")
    assert (trained.results["mean_test_score"].item() > 0.05) == (name not in poor)


def test_a_dummy_predicts_the_shares_whatever_the_class_weights():
    assert fit_small("multiclass", "dummy").estimator.predict_proba([[0]])[0] == pytest.approx(
        [1 / 3, 1 / 3, 1 / 3]
    )


def test_the_positive_label_may_come_first_in_the_alphabet():
    X = make_features()
    y = np.where(make_targets(X, "binary") == "yes", "advert", "wanted").astype(object)
    schema = MESSAGES.model_copy(update={"labels": ["wanted", "advert"], "positive": "advert"})
    for name in ("logistic_regression", "linear_svc", "ensemble"):
        trained = fit_best(X, y, np.arange(90) % 3, schema, make_model_params(name, "binary"))
        assert (trained.truth == (y == "advert")).all()
        assert trained.outputs[y == "advert"].mean() > 0.7
        assert trained.results["mean_test_score"].item() > 0.7


@pytest.mark.parametrize("name", ["ensemble", "linear_svc", "ridge"])
def test_scores_of_several_labels_become_calibrated_probabilities(name):
    X = make_features(2_000)
    rng = np.random.default_rng(0)
    shares = softmax(2 * X[:, [0, 1, 2]].toarray().astype(float), axis=1)
    y = np.array([rng.choice(["bad", "fair", "good"], p=share) for share in shares], object)
    params = make_model_params(name, "multiclass", class_weight=None)
    trained = fit_best(X, y, np.arange(2_000) % 5, make_task_schema("multiclass"), params)
    confidence = trained.outputs.max(axis=1)
    is_right = trained.outputs.argmax(axis=1) == trained.truth
    assert confidence.mean() == pytest.approx(is_right.mean(), abs=0.05)
    assert log_loss(trained.truth, trained.outputs) < 1.05 * log_loss(trained.truth, shares)


def test_candidates_are_compared_and_the_best_is_taken():
    trained = fit_small(
        "regression",
        "dummy",
        candidates=["linear_regression", {"estimator": "ridge", "params": {"alpha": 1e6}}],
        target_transform="log",
    )
    results = trained.results
    assert results["estimator"].iloc[0] == "linear_regression"
    assert sorted(results["estimator"]) == ["dummy", "linear_regression", "ridge"]
    assert results.set_index("estimator")["params"]["ridge"] == {"alpha": 1e6}
    assert type(trained.estimator.estimator_).__name__ == "LinearRegression"
    assert len(set(results["scoring"])) == 1


def test_the_grid_is_of_the_main_estimator():
    search = {
        "grid": {"alpha": [1e-3, 1e6]},
        "n_iter": None,
        "cv": 3,
        "scoring": "r2",
        "n_jobs": 1,
    }
    trained = fit_small("regression", "ridge", candidates=["dummy"], search=search)
    assert trained.results["estimator"].tolist()[0] == "ridge"
    assert sorted(trained.results["estimator"]) == ["dummy", "ridge", "ridge"]
    assert trained.results["params"].iloc[0] == {"alpha": 1e-3}


def test_the_log_of_a_negative_target_is_refused():
    X = make_features()
    params = make_model_params("ridge", "regression", target_transform="log")
    y = make_targets(X, "regression") - 1
    with pytest.raises(UserError, match=r"target_transform: log needs a target of at least 0, the"):
        fit_best(X, y, np.arange(90) % 3, make_task_schema("regression"), params)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target_transform": "log"}, "task binary has no number to transform: set it to none"),
        ({"candidates": ["lasso"]}, "task binary has no estimator 'lasso': choose one of logistic"),
    ],
)
def test_what_the_task_does_not_have_is_refused(changes, message):
    with pytest.raises(UserError, match=message):
        fit_small("binary", "ridge", **changes)


def test_labels_alone_are_resampled():
    with pytest.raises(UserError, match="task regression has no labels to balance"):
        fit_small("regression", "ridge", resampling="smote")


def test_names_what_to_install_for_resampling(monkeypatch):
    monkeypatch.setitem(sys.modules, "imblearn.over_sampling", None)
    message = (
        "resampling: smote needs the package imbalanced-learn, which is not installed: "
        "run 'pip install -r requirements-boosting.txt'"
    )
    with pytest.raises(UserError, match=message):
        fit_small("binary", "ridge", resampling="smote")


@pytest.mark.parametrize("name", OPTIONAL)
def test_names_what_to_install_for_an_estimator(monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    message = (
        f"estimator: {name} needs the package {name}, which is not installed: "
        "run 'pip install -r requirements-boosting.txt'"
    )
    with pytest.raises(UserError, match=message):
        fit_small("binary", name)


@pytest.mark.parametrize("resampling", RESAMPLERS)
def test_resampling_changes_what_is_fitted_on_alone(tmp_path, resampling):
    pytest.importorskip("imblearn")
    X = make_features(300)
    y = np.where(X[:, [0]].toarray().ravel() > 1.5, "yes", "no").astype(object)
    folds = np.arange(300) % 3
    shares = {}
    for name in ("none", resampling):
        params = make_model_params(
            "logistic_regression", "binary", class_weight=None, resampling=name
        )
        trained = fit_best(X, y, folds, make_task_schema("binary"), params)
        shares[name] = trained.outputs.mean()
        assert len(trained.outputs) == 300
    assert shares[resampling] > shares["none"] + 0.05
    save_model(trained.estimator, tmp_path / "model.skops")
    assert b"imblearn" not in (tmp_path / "model.skops").read_bytes()


def test_a_model_of_a_missing_package_is_refused_with_its_name(tmp_path, monkeypatch):
    pytest.importorskip("lightgbm")
    save_model(fit_small("binary", "lightgbm").estimator, tmp_path / "model.skops")
    for name in [name for name in sys.modules if name.split(".")[0] == "lightgbm"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match="needs the package lightgbm, which is not installed"):
        load_model(tmp_path / "model.skops")


def test_windows_of_time_are_predicted_from_earlier_ones():
    X = make_features()
    for task in TASKS:
        params = make_model_params("random_forest", task)
        folds = np.arange(90) // 30 + NEVER
        trained = fit_best(X, make_targets(X, task), folds, make_task_schema(task), params)
        assert len(trained.outputs) == len(trained.truth) == 60
        assert not np.isnan(trained.outputs).any()
        assert [name for name in trained.results if name.startswith("split")] == [
            "split0_test_score",
            "split1_test_score",
        ]


def test_a_fold_has_features_of_its_own_where_they_are_fitted_in_it():
    X = make_features()
    y = make_targets(X, "regression")
    seen = []

    def refit(fitted_on, held_out):
        seen.append((fitted_on, held_out))
        return X[fitted_on], X[held_out] * 0, {}

    params = make_model_params("linear_regression", "regression")
    trained = fit_best(X, y, np.arange(90) % 3, make_task_schema("regression"), params, refit=refit)
    assert [len(fitted_on) for fitted_on, _ in seen] == [60] * 3
    assert len(set(trained.outputs.round(9))) == 3, "one prediction for each fold"


class Recorder(ClassifierMixin, BaseEstimator):
    """Remembers the rows it is fitted on, and returns its feature as probability."""

    seen: ClassVar[list] = []

    def fit(self, X, y):  # noqa: ARG002
        self.seen.append(X.toarray().ravel().tolist())
        return self

    def predict_proba(self, X):
        return np.column_stack([X.toarray().ravel()] * 2)


def test_copies_are_fitted_on_with_their_rows_and_never_scored():
    X = sp.csr_matrix(np.arange(1.0, 8.0)[:, None])
    folds = np.array([0, 1, 0, 1, 1, 0, 0])
    splits = [(others, rows[rows < 3]) for others, rows in list_splits(folds)]
    params = make_model_params("dummy", "binary", class_weight=None)
    schema = make_task_schema("binary")
    scores = score_held_out(Recorder(), X, np.arange(7) % 2, splits, 3, schema, params)
    assert Recorder.seen == [[2, 4, 5], [1, 3, 6, 7]]
    assert scores.tolist() == [1, 2, 3]


@pytest.mark.parametrize("name", ["ensemble", "linear_svc"])
def test_copies_change_the_model_but_not_the_number_of_scored_rows(name):
    rng = np.random.default_rng(0)
    X = sp.csr_matrix(rng.random((N_ROWS, 4)))
    y = np.where(np.arange(N_ROWS) % 3 == 0, "spam", "ham").astype(object)
    folds = np.arange(N_ROWS) // 3 % 5
    seen = []

    def make_copies(folds):
        seen.append(folds)
        return X * 2, np.arange(N_ROWS)

    options = (X, y, folds, MESSAGES, make_model_params(name, "binary"))
    plain, augmented = fit_best(*options), fit_best(*options, make_copies=make_copies)
    assert len(seen) == 1
    assert len(plain.outputs) == len(augmented.outputs) == N_ROWS
    before, after = (each.estimator.decision_function(X) for each in (plain, augmented))
    assert (before != after).any()
