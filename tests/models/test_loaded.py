"""Tests of loading a model for use."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from core.errors import UserError
from models.loaded import DecisionOptions, load_model_for_use
from models.store import save_model
from models.threshold import OperatingPoint, write_points
from tests.support.ready_table import ROOT, load_table
from tests.support.small_model import fit_model, read_version

OPTIONS = DecisionOptions(ROOT / "params.yaml")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with a model of messages, and one of a table for each other task."""
    folder = tmp_path_factory.mktemp("models")
    save_model(fit_model(), folder / "binary.skops")
    for task, estimator in (("multiclass", LogisticRegression()), ("regression", Ridge())):
        (folder / task).mkdir()
        load_table(folder / task, estimator, task)
        for suffix in (".skops", ".points.json"):
            shutil.copy(folder / task / f"model{suffix}", folder / f"{task}{suffix}")
    return folder


def load(folder, task, **options):
    path = folder / f"{task}.skops"
    return load_model_for_use(path.read_bytes(), path, replace(OPTIONS, **options))


def test_a_model_of_messages(folder):
    loaded = load(folder, "binary", threshold=0.25)
    assert loaded.columns == "text"
    assert loaded.rows is None
    assert loaded.decision.labels == ["ham", "spam"]
    assert loaded.decision.threshold == 0.25
    assert loaded.version == read_version(loaded.path) == loaded.sha256[:12]
    assert "content" not in repr(loaded)


def test_a_model_of_a_table(folder):
    loaded = load(folder, "multiclass")
    names = [name for [name] in loaded.columns.names]
    assert names == [column.name for column in loaded.description.columns]
    assert loaded.decision.labels == ["bad", "fair", "good"]


@pytest.mark.parametrize(
    ("task", "option"),
    [
        ("binary", "coverage"),
        ("multiclass", "threshold"),
        ("multiclass", "max_fpr"),
        ("multiclass", "coverage"),
        ("regression", "threshold"),
        ("regression", "max_fpr"),
    ],
)
def test_refuses_options_of_other_tasks(folder, task, option):
    shown = option.replace("_", "-")
    with pytest.raises(UserError, match=f"^a model of task {task} has no --{shown}: leave it out"):
        load(folder, task, **{option: 0.5})


def test_params_are_read_only_if_they_are_needed(folder, tmp_path):
    nothing = tmp_path / "none.yaml"
    assert load(folder, "multiclass", params=nothing).decision.labels
    assert load(folder, "binary", params=nothing, threshold=0.5).decision.threshold == 0.5
    found = load(folder, "regression", params=nothing, coverage=0.9).decision.interval
    assert found.coverage == 0.9
    with pytest.raises(
        UserError, match=r"none\.yaml does not exist, model_evaluation\.threshold is .*--threshold"
    ):
        load(folder, "binary", params=nothing)
    with pytest.raises(UserError, match=r"model_evaluation\.interval_coverage is .*--coverage"):
        load(folder, "regression", params=nothing)


def test_the_threshold_is_that_of_the_parameters_or_of_a_rate(folder):
    assert load(folder, "binary").decision.threshold == 0.8
    points = [OperatingPoint(threshold=0.3, recall=0.5, fpr=0.1)]
    write_points(points, folder / "binary.skops", folder / "binary.points.json")
    assert load(folder, "binary", max_fpr=0.2).decision.threshold == 0.3


def test_a_model_without_intervals_predicts_without(folder, caplog, tmp_path):
    points = tmp_path / "empty.json"
    write_points([], folder / "regression.skops", points)
    assert load(folder, "regression", points=points).decision.interval is None
    assert "no prediction intervals" in caplog.text


def test_the_unit_of_the_target_is_known(tmp_path):
    loaded = load_table(tmp_path, Ridge(), "regression", units={"target": "USD"})
    assert loaded.decision.unit == "USD"
    lines = list(loaded.prediction.describe(np.array([1234567.0]), loaded.decision))
    assert lines == [
        "prediction   1234567 USD",
        "interval     1234566 to 1234568 USD, which holds for 90%",
    ]
