"""Tests of choosing the threshold."""

import hashlib
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import UserError
from models.conformal import PredictionInterval
from models.threshold import (
    OperatingPoint,
    choose_operating_point,
    choose_threshold,
    compute_operating_points,
    name_points,
    read_model_points,
    read_points,
    write_points,
)

POINTS = [
    OperatingPoint(threshold=0.9, recall=0.5, fpr=0.0),
    OperatingPoint(threshold=0.6, recall=0.8, fpr=0.01),
    OperatingPoint(threshold=0.1, recall=1.0, fpr=1.0),
]
SHA256 = hashlib.sha256(b"a model").hexdigest()


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "best.skops"
    path.write_bytes(b"a model")
    write_points(POINTS, path, name_points(path))
    return path


@pytest.fixture
def choose(model, params_file):
    """Return a function that chooses the threshold of ``model``."""

    def run(threshold=None, max_fpr=None, points=None, sha256=SHA256, **changes):
        return choose_threshold(threshold, max_fpr, points, model, sha256, params_file(changes))

    return run


def test_each_point_has_the_lowest_threshold_for_its_false_positives():
    is_positive = np.array([1, 1, 0, 1, 0, 0, 1, 0], bool)
    probability = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2])
    assert compute_operating_points(is_positive, probability) == [
        OperatingPoint(threshold=0.8, recall=0.5, fpr=0.0),
        OperatingPoint(threshold=0.6, recall=0.75, fpr=0.25),
        OperatingPoint(threshold=0.3, recall=1.0, fpr=0.75),
    ]


@given(
    rows=st.lists(st.tuples(st.booleans(), st.floats(0, 1)), max_size=30),
    max_fpr=st.floats(0, 1),
)
def test_no_other_threshold_has_a_higher_recall_within_the_rate(rows, max_fpr):
    rows = [*rows, (True, 1.0), (False, 0.0)]
    is_positive = np.array([truth for truth, _ in rows])
    probability = np.array([p for _, p in rows]).round(9)
    points = compute_operating_points(is_positive, probability)
    found = choose_operating_point(points, max_fpr)
    best = 0.0
    for threshold in probability:
        is_found = probability >= threshold
        if round(is_found[~is_positive].mean(), 6) <= max_fpr:
            best = max(best, is_found[is_positive].mean())
    if found is None:
        assert best == 0
    else:
        assert found.recall == round(best, 6)
        is_found = probability >= found.threshold
        assert round(is_found[is_positive].mean(), 6) == found.recall
        assert round(is_found[~is_positive].mean(), 6) == found.fpr


def test_reads_the_points_that_were_written(model):
    assert name_points(model).name == "best.points.json"
    assert read_points(name_points(model), model, SHA256) == POINTS


@pytest.mark.parametrize(
    ("max_fpr", "threshold"), [(0, 0.9), (0.009, 0.9), (0.01, 0.6), (0.5, 0.6), (1, 0.1)]
)
def test_takes_the_lowest_threshold_within_the_rate(choose, max_fpr, threshold):
    assert choose(max_fpr=max_fpr) == threshold


def test_reports_that_no_threshold_is_within_the_rate(model, choose):
    write_points(POINTS[1:], model, name_points(model))
    with pytest.raises(ValueError, match=r"no threshold .* of 0\.001 or .* --max-fpr 0\.01"):
        choose(max_fpr=0.001)


def test_takes_points_from_another_file(model, choose):
    elsewhere = name_points(model).rename(model.with_name("other.json"))
    assert choose(max_fpr=0.02, points=elsewhere) == 0.6


def test_names_a_missing_file(model, choose):
    name_points(model).unlink()
    with pytest.raises(UserError, match=r"best\.points\.json does not exist, .*dvc repro"):
        choose(max_fpr=0.1)


def test_refuses_points_of_another_model(choose):
    message = rf"best\.points\.json holds the operating points of model {SHA256[:12]}, but \S+"
    with pytest.raises(ValueError, match=rf"{message}best\.skops is model bbbbbbbbbbbb: run"):
        choose(max_fpr=0.1, sha256="b" * 64)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        "\xff",
        json.dumps({"model_sha256": SHA256, "points": [{"threshold": 0.5}]}),
        json.dumps({"model_sha256": SHA256, "points": [{"threshold": 2, "recall": 1, "fpr": 0}]}),
    ],
)
def test_refuses_a_file_of_another_kind(model, choose, content):
    name_points(model).write_bytes(content.encode("latin-1"))
    with pytest.raises(ValueError, match=r"best\.points\.json does not hold operating points: "):
        choose(max_fpr=0.1)


def test_a_model_without_two_labels_has_no_points_but_intervals(model, choose):
    path = name_points(model)
    intervals = [PredictionInterval(coverage=0.9, margin=1.5)]
    write_points([], model, path, intervals)
    assert read_model_points(path, model, SHA256).intervals == intervals
    with pytest.raises(UserError, match="does not choose between two labels: leave out --max-fpr"):
        choose(max_fpr=0.1)


def test_takes_the_threshold_that_is_given(choose):
    assert choose(threshold=0.3) == 0.3


def test_takes_the_threshold_of_the_parameters_by_default(choose):
    assert choose(**{"model_evaluation.threshold": 0.42}) == 0.42


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan, math.inf])
def test_refuses_a_value_that_is_not_from_0_to_1(choose, value):
    with pytest.raises(ValueError, match=r"--threshold is .*: give a number from 0 to 1"):
        choose(threshold=value)
    with pytest.raises(ValueError, match=r"--max-fpr is .*: give a number from 0 to 1"):
        choose(max_fpr=value)
