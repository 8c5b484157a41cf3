"""Tests of metrics from files that predict wrote."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.errors import UserError
from core.params import read_params
from evaluation import prediction_files
from evaluation.prediction_files import (
    PREFIX,
    measure_predictions,
    predict_test_set,
    read_predictions,
)
from evaluation.scores import EvaluationParams, score
from evaluation.tasks import EVALUATIONS
from features.matrices import load_matrix
from models.store import load_model
from records.schema import Schema
from tests.support.evaluated import write_example

PARAMS = EvaluationParams(
    threshold=0.5,
    max_fpr=0.1,
    bootstrap_samples=100,
    random_state=0,
    slices=[],
    interval_coverage=0.9,
)


@pytest.fixture
def example(tmp_path, params_file):
    """Return a function that writes a task's test set with predictions, and its schema."""

    def make(task):
        schema = read_params(params_file(write_example(task, tmp_path)), "schema", Schema)
        df = pd.read_parquet(tmp_path / "test.parquet")
        X = load_matrix(tmp_path / "test.npz", len(df))
        model = load_model(tmp_path / "model.skops")
        scored = score(EVALUATIONS[task], model, df, X, schema.target)
        columns = np.atleast_2d(scored.predicted.T)
        names = EVALUATIONS[task].name_predictions(scored.labels)
        given = {PREFIX + name: values for name, values in zip(names, columns, strict=True)}
        path = tmp_path / "predicted.parquet"
        df.assign(**given).to_parquet(path)
        return path, schema, scored

    return make


@pytest.mark.parametrize("task", EVALUATIONS)
def test_reads_what_the_evaluation_computes(example, task):
    path, schema, scored = example(task)
    found = read_predictions(path, schema)
    assert found.labels == scored.labels
    assert (found.actual == scored.actual).all()
    assert (found.predicted == scored.predicted).all()
    assert EVALUATIONS[task].primary in measure_predictions(found, schema, PARAMS)


def test_the_false_positive_rate_is_also_named_fpr(example):
    path, schema, _ = example("binary")
    metrics = measure_predictions(read_predictions(path, schema), schema, PARAMS)
    assert metrics["fpr"] == metrics["no_blocked"]


@pytest.mark.parametrize("n_labels", [2, 4])
def test_predictions_for_other_labels_are_refused(example, n_labels):
    path, schema, _ = example("multiclass")
    df = pd.read_parquet(path)
    if n_labels == 2:
        df = df.drop(columns=f"{PREFIX}probability_low")
    else:
        df[f"{PREFIX}probability_huge"] = 0.0
    df.to_parquet(path)
    with pytest.raises(UserError, match=r"they differ in probability_(low|huge)$"):
        read_predictions(path, schema)


def test_predictions_of_another_task_are_refused(example):
    path, schema, _ = example("regression")
    df = pd.read_parquet(path).rename(columns={f"{PREFIX}prediction": f"{PREFIX}probability"})
    df.to_parquet(path)
    with pytest.raises(UserError, match="they differ in prediction"):
        read_predictions(path, schema)


RELEASE = """
import argparse, json, sys
from pathlib import Path
assert sys.argv.pop(1) == "predict"
parser = argparse.ArgumentParser()
for name in ("input", "output", "model", "params", "prefix"):
    parser.add_argument(f"--{name}", required=True)
# OPTION
args = vars(parser.parse_args())
Path(args["output"]).write_text(json.dumps(args))
"""


def predict(tmp_path, code, task):
    folder = tmp_path / "code" / "src"
    folder.mkdir(parents=True)
    (folder / "__main__.py").write_text(code)
    output = tmp_path / "output"
    schema = Schema.model_construct(task=task)
    predict_test_set(folder.parent, Path("model"), Path("input"), output, schema)
    return json.loads(output.read_text())


@pytest.mark.parametrize("task", EVALUATIONS)
def test_all_probabilities_are_asked_for_where_there_are_several(tmp_path, task):
    option = 'parser.add_argument("--all-probabilities", action="store_true")'
    args = predict(tmp_path, RELEASE.replace("# OPTION", option), task)
    assert args["all_probabilities"] == (task == "multiclass")
    assert args["params"] == str(tmp_path / "code" / "params.yaml")


def test_a_release_without_that_option_writes_them_anyway(tmp_path):
    assert predict(tmp_path, RELEASE, "multiclass")["prefix"] == PREFIX


def test_another_error_of_a_release_is_not_hidden(tmp_path, monkeypatch):
    calls = []
    run = prediction_files.run
    monkeypatch.setattr(
        prediction_files, "run", lambda *command: (calls.append(command), run(*command))
    )
    with pytest.raises(UserError, match="there is no price"):
        predict(tmp_path, "import sys; sys.exit('there is no price')", "multiclass")
    assert len(calls) == 1
