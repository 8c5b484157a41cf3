"""Tests of running the examples."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from commands import example
from core.errors import UserError
from tests.support.evaluated import write_example


@pytest.fixture(autouse=True)
def checkout(tmp_path, monkeypatch):
    """Work in a folder with an example."""
    monkeypatch.chdir(tmp_path)
    folder = Path("examples", "flowers")
    folder.mkdir(parents=True)
    (folder / "params.yaml").write_text("schema: {}\n")
    return folder


def test_names_the_examples_that_there_are(capsys):
    with pytest.raises(UserError, match="no example 'fruit': choose one of flowers"):
        example.main(["fruit"])
    with pytest.raises(SystemExit):
        example.main([])
    assert "name an example, of flowers, or give --all" in capsys.readouterr().err


def test_metrics_that_differ_are_an_error(checkout):
    path = checkout / "metrics.json"
    with pytest.raises(UserError, match=r"metrics\.json does not exist: write it with --write"):
        example.compare_metrics({"test": {"r2": 0.5}}, path)
    path.write_text(json.dumps({"test": {"r2": 0.5}}))
    example.compare_metrics({"test": {"r2": 0.5}}, path)
    with pytest.raises(UserError, match="the metrics are not those of"):
        example.compare_metrics({"test": {"r2": 0.6}}, path)


def test_each_example_is_run_and_its_metrics_are_kept_on_request(checkout, monkeypatch):
    metrics = {"test": {"r2": 0.25}}

    def run_pipeline(clone):
        path = clone / example.METRICS
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(metrics))
        return metrics

    monkeypatch.setattr(example, "make_clone", lambda name: example.CLONES / name)
    monkeypatch.setattr(example, "run_pipeline", run_pipeline)
    monkeypatch.setattr(example, "check_predictions", lambda *_: 3)
    example.main(["--all", "--write"])
    assert json.loads((checkout / "metrics.json").read_text()) == metrics


@pytest.mark.parametrize("value", [0.5, 0.25])
def test_predictions_for_the_test_set_have_the_metrics_of_the_evaluation(
    tmp_path, params_file, monkeypatch, value
):
    params = params_file(write_example("regression", tmp_path))
    clone = tmp_path / "clone"
    clone.mkdir()
    shutil.copyfile(params, clone / "params.yaml")

    def predict(code, _model, test_set, output, schema):
        assert (code, test_set) == (clone, clone / example.TEST_SET)
        df = pd.read_parquet(tmp_path / "test.parquet")
        df.assign(given_prediction=df[schema.target] + 0.5).to_parquet(output)

    monkeypatch.setattr(example, "predict_test_set", predict)
    if value == 0.5:
        assert example.check_predictions(clone, {"mae": 0.5, "rmse": 0.5}) == 40
        return
    with pytest.raises(UserError, match=r"gives other metrics: mae 0\.5, not 0\.25$"):
        example.check_predictions(clone, {"mae": 0.25, "rmse": 0.5})
