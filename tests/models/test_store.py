"""Tests of storing models as files that run no code."""

import contextlib
import os
import pickle
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.ensemble import (
    AdaBoostClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.naive_bayes import ComplementNB, MultinomialNB
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler
from sklearn.svm import LinearSVC

from core.errors import UserError
from features.branches import assemble, build_columns, freeze_vocabularies
from features.matrices import as_float32
from models import store as models
from models.adapted import ScaledClassifier
from models.ensemble import BranchEnsemble
from models.store import OPTIONAL_TYPES, TRUSTED_TYPES, load_model, save_model, sio
from tests.support.schemas import MESSAGES as SCHEMA
from tests.support.small_estimators import INSTALLED, fit_usual
from tests.support.small_table import TARGETS, TEXT, fit_pipeline, make_feature_params, make_rows
from text.tokens import prepare_messages

SOURCE = Path(models.__file__).parents[1]

HAM = ["see you at home", "lunch today?", "ok thanks a lot", "how are you mum", "home by 6"]
SPAM = ["WIN cash now", "free prize, call 08001234567", "claim your PRIZE", "£500 cash", "txt WIN"]
MESSAGES = np.array(HAM + SPAM, object)
LABELS = np.array(["ham"] * 5 + ["spam"] * 5, object)

CLASSIFIERS = {
    "logistic_regression": LogisticRegression(solver="liblinear", dual=True, random_state=0),
    "ensemble": BranchEnsemble(random_state=0),
    "linear_svc": ScaledClassifier(LinearSVC(random_state=0), 2.0, 1.0),
    "sgd": SGDClassifier(loss="modified_huber", random_state=0),
    "complement_nb": ComplementNB(),
    "multinomial_nb": MultinomialNB(),
    "random_forest": RandomForestClassifier(5, random_state=0),
    "extra_trees": ExtraTreesClassifier(5, random_state=0),
    "ada_boost": AdaBoostClassifier(n_estimators=5, random_state=0),
    "gradient_boosting": GradientBoostingClassifier(n_estimators=5, random_state=0),
}


# The models to store: a vectoriser and a classifier.
MODELS = {name: ("tfidf", classifier) for name, classifier in CLASSIFIERS.items()} | {
    "count": ("count", ComplementNB()),
    "hashing": ("hashing", ComplementNB()),
    "exponential_loss": (
        "tfidf",
        GradientBoostingClassifier(loss="exponential", n_estimators=5, random_state=0),
    ),
}


def fit_model(name):
    """Return a fitted model with every kind of step that our models can have."""
    vectorizer, classifier = MODELS[name]
    columns = build_columns(SCHEMA, make_feature_params(vectorizer))
    X = as_float32(columns.fit_transform(prepare_messages(MESSAGES, **TEXT.model_dump())))
    freeze_vocabularies(columns)
    fitted = clone(classifier).fit(X, LABELS)
    return Pipeline([*assemble(SCHEMA, columns, TEXT).steps, ("classifier", fitted)])


def save_every_model(folder):
    for name in MODELS:
        save_model(fit_model(name), folder / name)
    for task in TARGETS:
        save_model(fit_pipeline(task), folder / task)


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.skops"


@pytest.fixture(scope="module")
def small_file(tmp_path_factory):
    """Return the bytes of a small model's file."""
    path = tmp_path_factory.mktemp("models") / "small.skops"
    save_model(ComplementNB().fit([[1, 0], [0, 1]], ["ham", "spam"]), path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def folders_of_two_processes(tmp_path_factory):
    """Save every model in two processes whose hashes and addresses differ."""
    folders = []
    for seed in ("1", "2"):
        folder = tmp_path_factory.mktemp("models")
        script = (
            "import pathlib, sys, test_store\n"
            "test_store.save_every_model(pathlib.Path(sys.argv[1]))\n"
        )
        search_path = os.pathsep.join([str(SOURCE), str(SOURCE.parent), str(Path(__file__).parent)])
        subprocess.run(
            [sys.executable, "-c", script, str(folder)],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": search_path},
            check=True,
        )
        folders.append(folder)
    return folders


@pytest.mark.parametrize("name", MODELS)
def test_a_model_read_back_predicts_the_same(path, name):
    model = fit_model(name)
    save_model(model, path)
    found = load_model(path)
    texts = [*MESSAGES, "call mum", ""]
    assert found.predict_proba(texts).tolist() == model.predict_proba(texts).tolist()
    assert found.classes_.tolist() == ["ham", "spam"]


@pytest.mark.parametrize("task", TARGETS)
def test_features_of_a_table_read_back_are_the_same(path, task):
    pipeline, rows = fit_pipeline(task), make_rows(task=task, seed=1)
    save_model(pipeline, path)
    found, expected = load_model(path).transform(rows), pipeline.transform(rows)
    assert found.shape == expected.shape
    assert (found != expected).nnz == 0


@pytest.mark.parametrize("name", [*MODELS, *TARGETS])
def test_equal_models_of_two_processes_give_equal_bytes(folders_of_two_processes, name):
    first, second = (folder / name for folder in folders_of_two_processes)
    assert first.read_bytes() == second.read_bytes()


def test_different_models_give_different_bytes(path):
    contents = set()
    for alpha in (0.5, 1.0):
        save_model(ComplementNB(alpha=alpha).fit([[1, 0], [0, 1]], ["ham", "spam"]), path)
        contents.add(path.read_bytes())
    assert len(contents) == 2


@pytest.mark.parametrize("name", MODELS)
def test_a_model_read_back_and_saved_again_gives_equal_bytes(path, name):
    save_model(fit_model(name), path)
    content = path.read_bytes()
    save_model(load_model(path), path)
    assert path.read_bytes() == content


def test_an_object_that_is_used_twice_stays_one_object(path):
    shared = MaxAbsScaler().fit([[1.0]])
    save_model(Pipeline([("a", shared), ("b", shared)]), path)
    found = load_model(path)
    assert found["a"] is found["b"]


def test_keeps_the_columns_of_a_table_apart(path):
    scaler = MaxAbsScaler().set_output(transform="pandas")
    df = pd.DataFrame({"a": [1.0, 2.0], "b": [4.0, 8.0]})
    save_model(scaler.fit(df), path)
    assert load_model(path).transform(df).to_dict("list") == {"a": [0.5, 1], "b": [0.5, 1]}


def test_trusts_no_type_that_no_model_needs():
    models = [*map(fit_model, MODELS), *map(fit_pipeline, TARGETS)]
    models += [fit_usual(task, name).estimator for task, name in INSTALLED]
    dumps = map(sio.dumps, models)
    needed = {name for dump in dumps for name in sio.get_untrusted_types(data=dump)}
    assert needed | set(OPTIONAL_TYPES) == set(TRUSTED_TYPES)


def test_names_a_missing_file(path):
    with pytest.raises(UserError, match=r"model\.skops does not exist: run"):
        load_model(path)


@pytest.mark.parametrize("protocol", range(6))
def test_refuses_a_pickle_without_running_it(path, tmp_path, protocol):
    path.write_bytes(pickle.dumps(Payload(tmp_path / "created"), protocol))
    with pytest.raises(ValueError, match=r"model\.skops is a pickle"):
        load_model(path)
    assert not (tmp_path / "created").exists()


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("content", [ComplementNB(), {"a": 1}, {}, [1], [], (1, 2)], ids=str)
def test_refuses_a_pickle_of_anything(path, protocol, content):
    path.write_bytes(pickle.dumps(content, protocol))
    with pytest.raises(ValueError, match=r"model\.skops is a pickle"):
        load_model(path)


@pytest.mark.parametrize("compress", [0, "zlib", "gzip", "bz2", "xz"])
def test_refuses_a_joblib_file_without_running_it(path, tmp_path, compress):
    joblib.dump(Payload(tmp_path / "created"), path, compress=(compress, 3) if compress else 0)
    with pytest.raises(ValueError, match=r"model\.skops is (a pickle|damaged or no model)"):
        load_model(path)
    assert not (tmp_path / "created").exists()


@pytest.mark.parametrize("content", [b"", b"P", b"PK\x03\x04", b"not a model\n", b"\xff" * 100])
def test_refuses_a_file_of_another_kind(path, content):
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"model\.skops is damaged or no model .*'dvc pull'"):
        load_model(path)


def test_refuses_a_file_cut_short_anywhere(path, small_file):
    for size in range(0, len(small_file), 29):
        path.write_bytes(small_file[:size])
        with pytest.raises(ValueError, match="damaged or no model"):
            load_model(path)


def test_a_changed_byte_never_changes_what_a_model_predicts(path, small_file):
    path.write_bytes(small_file)
    expected = load_model(path).predict_proba([[1, 0]]).tolist()
    for place in range(0, len(small_file), 13):
        content = bytearray(small_file)
        content[place] ^= 255
        path.write_bytes(content)
        # A byte that is not used, such as one of a date, may change.
        with contextlib.suppress(ValueError):
            assert load_model(path).predict_proba([[1, 0]]).tolist() == expected


def test_refuses_an_untrusted_type(path):
    save_model(FunctionTransformer(os.getcwd), path)
    with pytest.raises(ValueError, match=r"model\.skops is not one of our models: .*getcwd"):
        load_model(path)


def test_refuses_a_file_that_holds_no_estimator(path):
    path.write_bytes(sio.dumps({"a": 1}))
    with pytest.raises(ValueError, match=r"model\.skops"):
        load_model(path)


def test_leaves_the_old_file_if_a_model_cannot_be_stored(path, small_file):
    path.write_bytes(small_file)
    with pytest.raises(TypeError):
        save_model(FunctionTransformer(func=(line for line in "ab")), path)
    assert path.read_bytes() == small_file
    assert list(path.parent.iterdir()) == [path]


def test_refuses_a_file_that_unpacks_to_far_more_than_it_holds(tmp_path):
    path = tmp_path / "bomb.skops"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", "{}")
        archive.writestr("0.npy", b"\0" * 200_000_000)
    tracemalloc.start()
    with pytest.raises(ValueError, match="would unpack to 200 MB"):
        load_model(path)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()
