"""Tests of generated data."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_classification, make_regression

from core.errors import UserError
from storage.sources.fetch import fetch_source
from storage.sources.limits import Limits

SOURCE = Path(__file__).parents[3] / "src"


@pytest.fixture
def fetch(tmp_path):
    """Return a function that generates data and returns the file's path."""
    counter = iter(range(100))

    def run(options, max_megabytes=10):
        folder = tmp_path / str(next(counter))
        folder.mkdir()
        limits = Limits(max_megabytes=max_megabytes, timeout=60)
        return fetch_source(f"synthetic://{options}", folder, limits)

    return run


def test_classification_is_that_of_scikit_learn(fetch):
    options = "rows=2000&features=7&informative=3&redundant=1&repeated=1&classes=3"
    options += "&weights=0.5,0.3,0.2&flip_y=0.05&class_sep=0.5&random_state=5&hypercube=false"
    df = pd.read_csv(fetch(f"classification?{options}&clusters_per_class=1&shift=1&scale=2"))
    X, y = make_classification(
        n_samples=2000,
        n_features=7,
        n_informative=3,
        n_redundant=1,
        n_repeated=1,
        n_classes=3,
        n_clusters_per_class=1,
        weights=[0.5, 0.3, 0.2],
        flip_y=0.05,
        class_sep=0.5,
        hypercube=False,
        shift=1,
        scale=2,
        random_state=5,
    )
    assert list(df) == ["x0", "x1", "x2", "x3", "x4", "x5", "x6", "target"]
    np.testing.assert_allclose(df.iloc[:, :-1], X, rtol=1e-5)
    assert df["target"].tolist() == y.tolist()


def test_regression_is_that_of_scikit_learn(fetch):
    options = "rows=1500&features=4&informative=2&bias=3&noise=0.5&random_state=1"
    df = pd.read_csv(fetch(f"regression?{options}&effective_rank=2&tail_strength=0.1&shuffle=0"))
    X, y = make_regression(
        n_samples=1500,
        n_features=4,
        n_informative=2,
        bias=3,
        noise=0.5,
        effective_rank=2,
        tail_strength=0.1,
        shuffle=False,
        random_state=1,
    )
    np.testing.assert_allclose(df, np.column_stack([X, y]), rtol=1e-5)


def test_the_default_options_are_those_of_scikit_learn(fetch):
    assert pd.read_csv(fetch("classification")).shape == (100, 21)
    assert pd.read_csv(fetch("regression")).shape == (100, 101)


@pytest.mark.parametrize("options", ["classification?rows=1000", "regression?rows=50&noise=1"])
def test_equal_options_give_equal_bytes(fetch, options):
    assert fetch(options).read_bytes() == fetch(options).read_bytes()
    other = "&random_state=1"
    assert fetch(options).read_bytes() != fetch(options + other).read_bytes()


def test_labels_have_the_given_shares(fetch):
    options = "rows=10000&features=20&weights=0.97,0.03&flip_y=0&random_state=0"
    assert pd.read_csv(fetch(f"classification?{options}"))["target"].mean() == pytest.approx(0.03)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ("clusters?rows=5", r"there is no generator 'clusters': write it as synthetic://classif"),
        ("", "there is no generator ''"),
        ("classification/x", "there is no generator 'classification/x'"),
        ("classification?row=5", "the generator has no option 'row': choose from rows, features"),
        ("regression?classes=5", "the generator has no option 'classes': choose from"),
        ("classification?n_targets=2", "no option 'n_targets'"),
        ("classification?rows", "the options 'rows' cannot be read: write them as name=value"),
        ("classification?rows=5&rows=6", "an option is given twice: remove one"),
        ("classification?rows=many", r"classification\.rows: .* valid integer.*, got 'many'"),
        ("classification?rows=0", r"classification\.rows: .* greater than 0"),
        ("classification?rows=", r"classification\.rows: "),
        ("classification?weights=0.9,x", r"classification\.weights\.1: .*, got 'x'"),
        ("classification?weights=0.9,0.2", "weights needs a share for each class, and their sum"),
        ("classification?weights=0.9", "weights needs a share for each class"),
        ("classification?class_sep=nan", r"classification\.class_sep: .* finite"),
        ("classification?random_state=-1", r"classification\.random_state"),
        ("regression?noise=-1", r"regression\.noise: "),
        ("classification?informative=50", "scikit-learn cannot generate this: Number of inform"),
        ("classification?classes=40", "scikit-learn cannot generate this: n_classes"),
    ],
)
def test_says_what_is_wrong_with_the_options(fetch, options, problem):
    with pytest.raises(UserError, match=problem) as caught:
        fetch(options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("rows", [1000, 10**9])
def test_the_size_limit_holds(fetch, rows):
    with pytest.raises(UserError, match=r"it has more than 0\.1 MB: raise"):
        fetch(f"classification?rows={rows}", max_megabytes=0.1)


def test_other_sources_import_neither_scikit_learn_nor_a_database():
    code = (
        "import sys, data_ingestion; print({'sklearn', 'sqlalchemy', 'pyarrow'} & {*sys.modules})"
    )
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, cwd=SOURCE, capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"
