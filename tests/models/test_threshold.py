"""Tests of choosing the threshold."""

import json
import math

import pytest

from models.threshold import choose_threshold, find_threshold

POINTS = [
    {"fpr": 0.0, "tpr": 0.0, "threshold": math.inf},
    {"fpr": 0.0, "tpr": 0.5, "threshold": 0.9},
    {"fpr": 0.01, "tpr": 0.8, "threshold": 0.6},
    {"fpr": 1.0, "tpr": 1.0, "threshold": 0.1},
]


@pytest.fixture
def roc(tmp_path):
    path = tmp_path / "roc.json"
    path.write_text(json.dumps({"roc": POINTS}))
    return path


@pytest.mark.parametrize(
    ("max_fpr", "threshold"), [(0, 0.9), (0.009, 0.9), (0.01, 0.6), (0.5, 0.6), (1, 0.1)]
)
def test_finds_the_lowest_threshold_within_the_rate(roc, max_fpr, threshold):
    assert find_threshold(roc, max_fpr) == threshold


def test_says_so_if_no_threshold_finds_anything(roc):
    roc.write_text(json.dumps({"roc": [POINTS[0], POINTS[3]]}))
    with pytest.raises(ValueError, match=r"no threshold .* 0\.001"):
        find_threshold(roc, 0.001)


def test_names_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"roc\.json does not exist, .*'dvc repro'"):
        find_threshold(tmp_path / "roc.json", 0.1)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"roc": 1}', '{"roc": []}', '{"roc": [{"fpr": "a"}]}', "\xff"]
)
def test_refuses_a_file_of_another_kind(roc, content):
    roc.write_bytes(content.encode("latin-1"))
    with pytest.raises(ValueError, match=r"roc\.json is not the ROC of an evaluation"):
        find_threshold(roc, 0.1)


def test_takes_the_threshold_that_is_given(roc, params_file):
    assert choose_threshold(0.3, None, roc, params_file()) == 0.3


def test_takes_the_one_for_a_rate(roc, params_file):
    assert choose_threshold(None, 0.02, roc, params_file()) == 0.6


def test_takes_that_of_the_parameters_else(roc, params_file):
    path = params_file({"model_evaluation.threshold": 0.42})
    assert choose_threshold(None, None, roc, path) == 0.42


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan, math.inf])
def test_refuses_what_is_no_share(roc, params_file, value):
    with pytest.raises(ValueError, match=r"--threshold is .*: give a number from 0 to 1"):
        choose_threshold(value, None, roc, params_file())
    with pytest.raises(ValueError, match=r"--max-fpr is .*: give a number from 0 to 1"):
        choose_threshold(None, value, roc, params_file())
