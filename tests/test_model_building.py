"""Tests of tuning and fitting the classifier."""

import json
import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

import model_building
from features.matrices import save_matrix
from models.store import load_model, read_digest, save_model
from models.threshold import read_model_points, read_points
from records.tasks import TASKS
from tests.support.small_estimators import INSTALLED, MANY_TREES, SMALL, make_targets
from tests.support.small_model import HAM, SPAM, fit_model
from tests.support.small_table import fit_pipeline, make_rows, make_table_schema

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

    def run(labels=("ham", "spam"), **changes):
        changes = {"search.cv": 3, "params": {}, "augmentation.enabled": False, **changes}
        changes = {f"model_building.{key}": value for key, value in changes.items()}
        of_schema = {"schema.labels": list(labels), "schema.positive": labels[1]}
        params = params_file(changes | of_schema)
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


@pytest.mark.parametrize(
    "estimator", [name for task, name in INSTALLED if task == "binary" and name != "dummy"]
)
@pytest.mark.parametrize(
    "class_weight", [None, "balanced", {"ham": 1.0, "spam": 2.0}, {"spam": 2.0}]
)
def test_every_estimator_gives_probabilities(build, estimator, class_weight):
    small = MANY_TREES.get(estimator)
    params = {small: SMALL[small]} if small else {}
    model, results = build(estimator=estimator, class_weight=class_weight, params=params)
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
    build(estimator=estimator, labels=names)
    path = inputs / "model.points.json"
    first = path.read_bytes()
    points = read_points(path, path, read_digest(inputs / "model.skops"))
    assert points[0].recall > 0.5
    assert points[-1].recall == 1
    build(estimator=estimator, labels=names)
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


@pytest.mark.parametrize("scoring", TASKS["binary"].scores)
def test_every_score_can_be_used(build, scoring):
    _, results = build(**{"search.scoring": scoring})
    assert results["scoring"].item() == scoring
    assert abs(results["mean_test_score"].item() - (not scoring.startswith("neg_"))) < 0.1


def test_scores_count_the_positive_label_whatever_its_name(build, inputs):
    df = pd.read_parquet(inputs / "train.parquet")
    label = df["label"].cat.rename_categories({"ham": "wanted", "spam": "advert"})
    df.assign(label=label).to_parquet(inputs / "train.parquet")
    always_wanted = {"estimator": "logistic_regression", "params": {"C": 1e-9}}
    options = {"labels": ("wanted", "advert"), "class_weight": None}
    _, results = build(**always_wanted, **options, **{"search.scoring": "recall"})
    assert results["mean_test_score"].item() == 0


def test_folds_keep_groups_together(build, inputs):
    df = pd.read_parquet(inputs / "train.parquet")
    df.assign(group=df["label"].cat.codes.astype(int)).to_parquet(inputs / "train.parquet")
    with pytest.raises(
        ValueError, match="3 folds need as many groups of rows labelled 'ham', not 1"
    ):
        build()


def test_jobs_do_not_change_the_result(build, inputs):
    build(**{"search.grid": {"C": [1, 10]}})
    first = (inputs / "model.skops").read_bytes()
    build(**{"search.grid": {"C": [1, 10]}, "search.n_jobs": 2})
    assert (inputs / "model.skops").read_bytes() == first


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"estimator": "magic"},
            "has no estimator 'magic': choose one of logistic_regression",
        ),
        ({"params": {"tol": "abc"}}, "The 'tol' parameter of LogisticRegression must be a float"),
        ({"params": {"C": -1}}, "The 'C' parameter of LogisticRegression must be a float"),
        ({"class_weight": {"ham": 1.0, "eggs": 1.0}}, "['spam'], are not in class_weight"),
        ({"search.scoring": "luck"}, "search.scoring: task binary has no score 'luck': choose one"),
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


@pytest.fixture
def build_table(params_file, tmp_path):
    """Return a function that builds a model of the made-up table."""

    def run(task, changes=None, n_rows=120):
        schema, df = make_table_schema(task), make_rows(n_rows, task)
        X = sp.csr_matrix(np.random.default_rng(0).random((n_rows, 2)))
        target = make_targets(X, task)
        if task != "regression":
            names = dict(zip(sorted(set(target)), sorted(schema.labels), strict=True))
            target = pd.Categorical([names[each] for each in target], schema.labels)
        df = df.assign(target=target, group=np.arange(n_rows), price=X[:, [0]].toarray().ravel())
        df = df.assign(weight=X[:, [1]].toarray().ravel())
        features = fit_pipeline(task)
        save_model(features, tmp_path / "features.skops")
        save_matrix(features.transform(df), tmp_path / "train.npz")
        prepared = features["rows"].transform(df)
        prepared.to_parquet(tmp_path / "train.parquet")
        params = params_file(
            {
                "schema": schema.model_dump(),
                "model_building.estimator": "random_forest",
                "model_building.params": {"n_estimators": 20},
                "model_building.augmentation.enabled": False,
                "model_building.search.cv": 3,
                "model_building.search.scoring": TASKS[task].scores[0],
                **(changes or {}),
            }
        )
        model_building.main(
            [
                f"--params={params}",
                f"--train={tmp_path / 'train.parquet'}",
                f"--features={tmp_path / 'train.npz'}",
                f"--transformer={tmp_path / 'features.skops'}",
                f"--model={tmp_path / 'model.skops'}",
                f"--points={tmp_path / 'points.json'}",
                f"--cv-results={tmp_path / 'cv.csv'}",
            ]
        )
        path = tmp_path / "model.skops"
        found = read_model_points(tmp_path / "points.json", path, read_digest(path))
        return load_model(path), pd.read_csv(tmp_path / "cv.csv"), found, df

    return run


@pytest.mark.parametrize("task", TASKS)
def test_a_table_of_every_kind_of_column_gets_a_model(build_table, task):
    model, results, found, df = build_table(task)
    assert results["mean_test_score"].item() > 0.2
    assert (results["estimator"] == "random_forest").all()
    assert len(model.predict(df)) == len(df)
    assert list(model.named_steps)[-1] == ("regressor" if task == "regression" else "classifier")
    assert bool(found.points) == (task == "binary")
    assert [each.coverage for each in found.intervals] == (
        [0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99] if task == "regression" else []
    )


def test_cross_validation_follows_a_split_by_time(build_table):
    changes = {"preprocessing.split_method": "time", "preprocessing.split_column": "seen"}
    with pytest.raises(ValueError, match="rows have no 'seen': reject rows without it"):
        build_table("regression", changes)


def test_cross_validation_follows_a_split_by_group(build_table):
    changes = {"preprocessing.split_method": "group", "preprocessing.split_column": "colour"}
    with pytest.raises(ValueError, match=r"30 folds need as many groups of rows labelled \S+ not"):
        build_table("binary", changes | {"model_building.search.cv": 30})


def test_messages_with_two_labels_alone_are_copied(build_table, caplog):
    build_table("multiclass", {"model_building.augmentation.enabled": True})
    assert "augmentation: only messages with two labels are copied" in caplog.text
