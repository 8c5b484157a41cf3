"""Tests of the self-test that a model file carries."""

import hashlib
import subprocess

import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier

from core.errors import UserError
from features import tables
from features.branches import assemble, freeze_vocabularies
from models.adapted import DenseClassifier
from models.inputs import find_needed
from models.self_test import (
    ATTRIBUTE,
    PROBES,
    add_self_test,
    check_code,
    has_changed,
    make_probe_rows,
)
from models.store import load_model, save_model
from tests.support.small_model import fit_model
from tests.support.small_table import (
    TEXT,
    fit_table,
    make_feature_params,
    make_rows,
    make_table_schema,
)
from text import tokens


@pytest.fixture
def stored(tmp_path):
    """Return the path of a stored model with a self-test."""
    path = tmp_path / "model.skops"
    save_model(add_self_test(fit_model()), path)
    return path


@pytest.fixture
def _changed_tokens(monkeypatch, stored):  # noqa: ARG001  (built before)
    """Change the tokeniser: it drops exclamation marks."""
    build = tokens.build_tokeniser

    def build_other(*options):
        tokenise = build(*options)
        return lambda text: tokenise(text).replace(" !", "")

    monkeypatch.setattr(tokens, "build_tokeniser", build_other)


def test_the_probes_are_about_a_hundred_and_all_different():
    assert 90 <= len(PROBES) == len(set(PROBES)) <= 150


def test_accepts_a_model_of_the_same_code(stored):
    model = load_model(stored)
    assert not has_changed(model)
    check_code(model, stored)


def test_equal_models_are_stored_in_equal_bytes(stored, tmp_path):
    save_model(add_self_test(fit_model()), tmp_path / "again.skops")
    assert (tmp_path / "again.skops").read_bytes() == stored.read_bytes()


@pytest.mark.usefixtures("_changed_tokens")
def test_detects_another_tokeniser(stored):
    model = load_model(stored)
    assert has_changed(model)
    with pytest.raises(ValueError, match=r"was built with other code: .* --allow-changed-code"):
        check_code(model, stored)
    check_code(model, stored, allow_changed_code=True)


@pytest.mark.parametrize(("factor", "expected"), [(1.001, True), (1 + 1e-12, False)])
def test_detects_other_probabilities_except_in_the_last_digits(stored, factor, expected):
    model = load_model(stored)
    model[-1].coef_ = model[-1].coef_ * factor
    assert has_changed(model) is expected


def test_the_self_test_adds_less_than_5_kb_to_the_file(stored, tmp_path):
    plain = tmp_path / "plain.skops"
    save_model(fit_model(), plain)
    assert stored.stat().st_size - plain.stat().st_size < 5_000


def test_accepts_a_model_without_a_self_test(tmp_path):
    check_code(fit_model(), tmp_path)


@pytest.mark.usefixtures("_changed_tokens")
def test_the_error_names_the_commit_whose_code_fits(stored, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"whose dvc\.lock names its MD5, [0-9a-f]{32}, build"):
        check_code(load_model(stored), stored)
    digest = hashlib.md5(stored.read_bytes()).hexdigest()
    (tmp_path / "dvc.lock").write_text(f"md5: {digest}\n")
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    for arguments in (["init", "-q"], ["add", "dvc.lock"], [*identity, "commit", "-qm", "a"]):
        subprocess.run(["git", *arguments], check=True)
    head = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(head, capture_output=True, text=True, check=True).stdout.strip()
    with pytest.raises(ValueError, match=f"the code of commit {commit}, build"):
        check_code(load_model(stored), stored)


def fit_table_model(task, estimator, **changes):
    """Return a model of a table with columns of every kind."""
    schema, df = make_table_schema(task), make_rows(task=task)
    columns = fit_table(df, schema, make_feature_params(**changes))
    freeze_vocabularies(columns)
    features = assemble(schema, columns, TEXT)
    y = df["target"].astype("str").to_numpy(object) if task != "regression" else df["target"]
    X = features.transform(df[schema.features])
    return Pipeline([*features.steps, ("estimator", estimator.fit(X, y))])


TABLE_MODELS = {
    "binary": LogisticRegression(max_iter=1000),
    "multiclass": DenseClassifier(DecisionTreeClassifier(random_state=0)),
    "regression": Ridge(),
}


@pytest.mark.parametrize("task", TABLE_MODELS)
def test_a_model_of_a_table_has_a_self_test(tmp_path, task):
    path = tmp_path / "model.skops"
    save_model(add_self_test(fit_table_model(task, clone(TABLE_MODELS[task]))), path)
    model = load_model(path)
    assert hasattr(model, ATTRIBUTE)
    check_code(model, path)
    model["columns"].named_transformers_["ordinals"].transformer_list[0][1]["scale"].mean_ += 10
    assert has_changed(model)


def test_detects_another_tokeniser_of_a_table(tmp_path, monkeypatch):
    path = tmp_path / "model.skops"
    save_model(add_self_test(fit_table_model("regression", Ridge())), path)
    monkeypatch.setattr(tables, "build_tokeniser", lambda *_: str.upper)
    with pytest.raises(UserError, match="other features or predictions for the same input"):
        check_code(load_model(path), path)


def test_a_model_that_takes_no_missing_values_has_probes_without_them():
    numbers = {"imputation": "none", "missing_indicator": False, "scaling": "standard"}
    rows = make_rows(task="regression").ffill().bfill()
    schema = make_table_schema("regression", text=[])
    columns = fit_table(rows, schema, make_feature_params(numbers=numbers))
    features = assemble(schema, columns, TEXT)
    X = features.transform(rows[schema.features])
    model = Pipeline([*features.steps, ("regressor", Ridge().fit(X, rows["target"]))])
    assert find_needed(model) == ["price", "weight", "size", "sold", "seen"]
    probes = make_probe_rows(add_self_test(model))
    assert probes[["price", "size", "sold"]].notna().to_numpy().all()
    assert probes["colour"].isna().any()
    assert not has_changed(model)
