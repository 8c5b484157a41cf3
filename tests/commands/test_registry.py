"""Tests of comparing a candidate with the model in a stage."""

from pathlib import Path

import pandas as pd
import pytest

from commands.registry import (
    PREFIX,
    Guard,
    PromotionParams,
    compare_guarded,
    compute_scored_metrics,
    normalise_version,
    read_artifact,
)
from core.params import read_params
from core.tables import write_table
from evaluation.scores import EvaluationParams
from records.schema import Schema

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("metric", "candidate", "current", "is_refused"),
    [
        ("recall_at_max_fpr", 0.95, 0.95, False),
        ("recall_at_max_fpr", 0.94, 0.95, False),
        ("recall_at_max_fpr", 0.93, 0.95, True),
        ("recall_at_max_fpr", 0.99, 0.95, False),
        ("fpr", 0.94, 0.95, False),
        ("fpr", 0.96, 0.95, False),
        ("fpr", 0.97, 0.95, True),
    ],
)
def test_only_what_is_worse_beyond_the_tolerance_is_refused(metric, candidate, current, is_refused):
    guard = Guard(metric=metric, tolerance=0.01)
    row = compare_guarded({metric: candidate}, {metric: current}, [guard]).loc[0]
    assert row["is_refused"] == is_refused


@pytest.mark.parametrize("version", ["1.2.3", "v1.2.3"])
def test_versions_start_with_a_v(version):
    assert normalise_version(version) == "v1.2.3"


def test_the_guards_hold_for_any_labels(tmp_path, params_file):
    labels = ["question", "complaint"] * 5
    df = pd.DataFrame(
        {
            "label": pd.Categorical(labels, categories=["question", "complaint"]),
            f"{PREFIX}probability": [0.1, 0.9] * 4 + [0.8, 0.2],
            "group": range(len(labels)),
        }
    )
    write_table(df, tmp_path / "scored.parquet")
    params = EvaluationParams(
        threshold=0.5,
        max_fpr=0.1,
        bootstrap_samples=100,
        random_state=0,
        slices=[],
        interval_coverage=0.9,
    )
    path = params_file({"schema.labels": labels[:2], "schema.positive": "complaint"})
    schema = read_params(path, "schema", Schema)
    metrics = compute_scored_metrics(tmp_path / "scored.parquet", schema, params)
    assert (metrics["recall"], metrics["fpr"]) == (0.8, 0.2)
    guards = read_params(ROOT / "params.yaml", "promotion", PromotionParams).guards
    assert {"mcc", "recall", "fpr", "robustness.worst"} == {guard.metric for guard in guards}
    metrics["robustness.worst"] = 0.8
    found = compare_guarded(metrics, metrics, guards)
    assert len(found) == len(guards)
    assert not found["is_refused"].any()


def test_robustness_is_compared_only_if_both_releases_measured_it():
    guard = Guard(metric="robustness.worst", tolerance=0.02)
    worse, better = {"robustness.worst": 0.8}, {"robustness.worst": 0.9}
    assert compare_guarded(worse, better, [guard])["is_refused"].tolist() == [True]
    assert compare_guarded(worse, {}, [guard]).empty
    assert compare_guarded({}, better, [guard]).empty


def test_an_unknown_metric_is_refused_with_those_that_are_known():
    guard = Guard(metric="luck", tolerance=0)
    message = "^promotion.guards: there is no metric 'luck': choose one of mcc, fpr$"
    with pytest.raises(ValueError, match=message):
        compare_guarded({"mcc": 1, "fpr": 0}, {"mcc": 1, "fpr": 0}, [guard])


def test_the_artifact_is_the_one_that_has_the_models_path(tmp_path):
    path = tmp_path / "dvc.yaml"
    path.write_text(
        "artifacts:\n  tickets: {path: data/raw/source}\n  complaints: {path: models/model.skops}\n"
    )
    assert read_artifact(path) == "complaints"


@pytest.mark.parametrize("text", ["", "stages: {}\n", "artifacts:\n  a: {path: b}\n"])
def test_a_pipeline_without_that_artifact_is_refused(tmp_path, text):
    path = tmp_path / "dvc.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"dvc.yaml: no artifact has the path models/model.skops"):
        read_artifact(path)
