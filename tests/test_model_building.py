"""Tests of tuning and fitting the classifier."""

import json
import pickle
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

import model_building
from core.params import read_params
from features.matrices import save_matrix
from models.estimators import ESTIMATORS, ModelParams
from models.store import load_model, read_digest, save_model
from models.threshold import read_points
from models.training import fit_classifier, score_held_out
from tests.conftest import ROOT
from tests.support.small_model import HAM, SPAM, fit_model

N_ROWS = 60


@pytest.fixture
def inputs(tmp_path):
    """Write a training table of 60 rows, 40 of them ham, and features that predict the label."""
    rng = np.random.default_rng(0)
    is_spam = np.arange(N_ROWS) % 3 == 0
    df = pd.DataFrame({"label": np.where(is_spam, "spam", "ham"), "group": np.arange(N_ROWS)})
    df["label"] = pd.Categorical(df["label"], categories=["ham", "spam"])
    df.to_parquet(tmp_path / "train.parquet")
    X = rng.random((N_ROWS, 6))
    X[:, 0] = is_spam * 0.8 + 0.2 * X[:, 0]
    save_matrix(sp.csr_matrix(X, dtype=np.float32), tmp_path / "train.npz")
    save_model(Pipeline([("same", FunctionTransformer())]), tmp_path / "features.skops")
    return tmp_path


@pytest.fixture
def build(params_file, inputs):
    """Return a function that builds a model; it returns the model and the table of results."""

    def run(**changes):
        changes = {"search.cv": 3, "params": {}, "augmentation.enabled": False, **changes}
        params = params_file({f"model_building.{key}": value for key, value in changes.items()})
        model_building.main(
            [
                f"--params={params}",
                f"--train={inputs / 'train.parquet'}",
                f"--features={inputs / 'train.npz'}",
                f"--transformer={inputs / 'features.skops'}",
                f"--model={inputs / 'model.skops'}",
                f"--points={inputs / 'model.points.json'}",
                f"--cv-results={inputs / 'cv.csv'}",
            ]
        )
        return load_model(inputs / "model.skops"), pd.read_csv(inputs / "cv.csv")

    return run


CLEAR = np.array([[1.0, 0.5, 0.5, 0.5, 0.5, 0.5], [0.0, 0.5, 0.5, 0.5, 0.5, 0.5]])


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize(
    "class_weight", [None, "balanced", {"ham": 1.0, "spam": 2.0}, {"spam": 2.0}]
)
def test_every_estimator_gives_probabilities(build, estimator, class_weight):
    model, results = build(estimator=estimator, class_weight=class_weight)
    probability = model.predict_proba(CLEAR)
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    assert probability[0, 1] > probability[1, 1]
    assert list(model.classes_) == ["ham", "spam"]
    assert len(results) == 1


def test_class_weights_reach_an_estimator_without_the_parameter(build):
    plain, _ = build(estimator="multinomial_nb", class_weight=None)
    weighted, _ = build(estimator="multinomial_nb", class_weight={"ham": 1.0, "spam": 9.0})
    assert weighted.predict_proba(CLEAR)[0, 1] > plain.predict_proba(CLEAR)[0, 1]


@pytest.mark.parametrize("estimator", ["logistic_regression", "linear_svc", "multinomial_nb"])
@pytest.mark.parametrize("names", [("ham", "spam"), ("wanted", "advert")])
def test_operating_points_come_from_rows_that_were_held_out(build, inputs, estimator, names):
    df = pd.read_parquet(inputs / "train.parquet")
    label = df["label"].cat.rename_categories(dict(zip(("ham", "spam"), names, strict=True)))
    df.assign(label=label).to_parquet(inputs / "train.parquet")
    build(estimator=estimator)
    path = inputs / "model.points.json"
    first = path.read_bytes()
    points = read_points(path, path, read_digest(inputs / "model.skops"))
    assert points[0].recall > 0.5
    assert points[-1].recall == 1
    build(estimator=estimator)
    assert path.read_bytes() == first


def test_operating_points_of_random_labels_are_poor(build, inputs):
    df = pd.read_parquet(inputs / "train.parquet")
    shuffled = df["label"].sample(frac=1, random_state=0, ignore_index=True)
    df.assign(label=shuffled).to_parquet(inputs / "train.parquet")
    build(estimator="random_forest", class_weight=None)
    points = json.loads((inputs / "model.points.json").read_text())["points"]
    assert points[0]["recall"] < 0.5, "the forest has seen every row, and is right on all of them"
    assert points[-1]["fpr"] > 0.5


def test_the_model_holds_the_transformer_and_the_classifier(build):
    model, _ = build()
    assert list(model.named_steps) == ["same", "classifier"]


def test_the_same_parameters_give_the_same_bytes(build, inputs):
    build(estimator="random_forest")
    first = (inputs / "model.skops").read_bytes()
    build(estimator="random_forest")
    assert (inputs / "model.skops").read_bytes() == first


def test_a_grid_is_searched_and_listed_best_first(build):
    model, results = build(
        class_weight=None, **{"search.grid": {"C": [1e-6, 10.0]}, "search.scoring": "recall"}
    )
    assert results["rank_test_score"].is_monotonic_increasing
    assert results["params"].tolist() == ["{'C': 10.0}", "{'C': 1e-06}"]
    assert model[-1].C == 10.0
    assert not any("time" in column for column in results)


def test_random_search_tries_as_many_points_as_asked(build):
    _, results = build(
        **{"search.grid": {"C": [1, 2, 3, 4], "tol": [0.1, 0.2]}, "search.n_iter": 3}
    )
    assert len(results) == 3


@pytest.mark.parametrize(
    "scoring",
    ["accuracy", "average_precision", "f1", "matthews_corrcoef", "precision", "recall", "roc_auc"],
)
def test_every_score_can_be_used(build, scoring):
    _, results = build(**{"search.scoring": scoring})
    assert results["scoring"].item() == scoring
    assert 0.9 < results["mean_test_score"].item() <= 1


def test_scores_count_the_positive_label_whatever_its_name(build, inputs):
    df = pd.read_parquet(inputs / "train.parquet")
    label = df["label"].cat.rename_categories({"ham": "wanted", "spam": "advert"})
    df.assign(label=label).to_parquet(inputs / "train.parquet")
    always_wanted = {"estimator": "logistic_regression", "params": {"C": 1e-9}}
    _, results = build(**always_wanted, class_weight=None, **{"search.scoring": "recall"})
    assert results["mean_test_score"].item() == 0


def test_folds_keep_groups_together(build, inputs):
    df = pd.read_parquet(inputs / "train.parquet")
    df.assign(group=df["label"].cat.codes.astype(int)).to_parquet(inputs / "train.parquet")
    with pytest.raises(ValueError, match="3 folds need as many groups of each label"):
        build()


def test_jobs_do_not_change_the_result(build, inputs):
    build(**{"search.grid": {"C": [1, 10]}})
    first = (inputs / "model.skops").read_bytes()
    build(**{"search.grid": {"C": [1, 10]}, "search.n_jobs": 2})
    assert (inputs / "model.skops").read_bytes() == first


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"estimator": "magic"}, "no estimator 'magic': choose one of logistic_regression"),
        ({"params": {"tol": "abc"}}, "The 'tol' parameter of LogisticRegression must be a float"),
        ({"params": {"C": -1}}, "The 'C' parameter of LogisticRegression must be a float"),
        ({"class_weight": {"ham": 1.0, "eggs": 1.0}}, "['spam'], are not in class_weight"),
        ({"search.scoring": "luck"}, "model_building.search.scoring: input should be"),
        ({"search.cv": 1}, "model_building.search.cv: input should be greater than or equal to 2"),
        ({"search.cv": 50}, "model_building.search.cv: 50 folds need"),
    ],
)
def test_refuses_invalid_parameters(build, changes, message):
    with pytest.raises(ValueError, match=r"params\.yaml: ") as caught:
        build(**changes)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_refuses_a_pickle_for_a_transformer(build, inputs):
    (inputs / "features.skops").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(ValueError, match="is a pickle"):
        build()


def test_refuses_a_matrix_of_another_table(build, inputs):
    save_matrix(sp.csr_matrix((3, 6), dtype=np.float32), inputs / "train.npz")
    with pytest.raises(ValueError, match=r"train\.npz has 3 rows, its table 60"):
        build()


AUGMENTATION = {"enabled": True, "min_words": 2, "max_words": 4, "most_typical": 3}


def test_copies_are_fitted_on_with_their_rows_and_never_scored():
    class Recorder(BaseEstimator, ClassifierMixin):
        seen: ClassVar = []

        def fit(self, X, y):  # noqa: ARG002
            self.seen.append(X.toarray().ravel().tolist())
            return self

        def predict_proba(self, X):
            return np.column_stack([X.toarray().ravel()] * 2)

    X = sp.csr_matrix(np.arange(1.0, 8.0)[:, None])
    folds = np.array([0, 1, 0, 1, 1, 0, 0])
    scores = score_held_out(Recorder(), X, np.arange(7) % 2, folds, 3, {})
    assert Recorder.seen == [[2, 4, 5], [1, 3, 6, 7]]
    assert scores.tolist() == [1, 2, 3]


def test_copies_change_the_model_but_not_the_number_of_scored_rows():
    rng = np.random.default_rng(0)
    X = sp.csr_matrix(rng.random((N_ROWS, 4)))
    y = np.where(np.arange(N_ROWS) % 3 == 0, "spam", "ham").astype(object)
    params = read_params(ROOT / "params.yaml", "model_building", ModelParams)
    params = params.model_copy(update={"params": {"C": 1}})
    options = (X, y, np.arange(N_ROWS), "spam", params)
    seen = []

    def make_copies(folds):
        seen.append(folds)
        return X * 2, np.arange(N_ROWS)

    plain, augmented = fit_classifier(*options), fit_classifier(*options, make_copies=make_copies)
    assert len(seen) == 1
    assert len(plain[1]) == len(augmented[1]) == N_ROWS
    assert (plain[0].coef_ != augmented[0].coef_).any()


def test_copies_need_an_estimator_that_gives_probabilities():
    X = sp.csr_matrix(np.eye(N_ROWS))
    y = np.where(np.arange(N_ROWS) % 3 == 0, "spam", "ham").astype(object)
    params = read_params(ROOT / "params.yaml", "model_building", ModelParams)
    params = params.model_copy(update={"estimator": "linear_svc", "params": {}})
    with pytest.raises(ValueError, match=r"model_building\.augmentation: linear_svc gives no prob"):
        fit_classifier(
            X, y, np.arange(N_ROWS), "spam", params, None, lambda _: (X, np.arange(N_ROWS))
        )


def test_copies_leave_no_vocabulary_in_the_model(build, inputs):
    df = pd.read_parquet(inputs / "train.parquet")
    texts = [f"{HAM[i % 5] if i % 3 else SPAM[i % 5]} {i}" for i in range(N_ROWS)]
    df.assign(text=texts).to_parquet(inputs / "train.parquet")
    model = fit_model(statistics=False)
    save_model(model[:-1], inputs / "features.skops")
    save_matrix(model[:-1].transform(texts), inputs / "train.npz")
    sizes = {}
    for enabled in (False, True):
        build(augmentation={**AUGMENTATION, "enabled": enabled})
        sizes[enabled] = (inputs / "model.skops").stat().st_size
    assert sizes[True] < 1.2 * sizes[False]
