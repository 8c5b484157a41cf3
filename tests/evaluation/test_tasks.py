"""Tests of evaluating a model of each task on a table of several columns."""

import json
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn import metrics as sk

import model_evaluation
from evaluation.tasks import EVALUATIONS
from features.matrices import load_matrix
from model_evaluation import OUTPUTS, PLOTS
from models.store import load_model
from records.tasks import TASKS
from tests.support.evaluated import write_example


@pytest.fixture
def evaluate(params_file, tmp_path):
    """Return a function that evaluates the example of a task."""

    def run(task, origin=None, **changes):
        of_schema = write_example(task, tmp_path)
        more = {f"model_evaluation.{key}": value for key, value in changes.items()}
        bootstrap = {"model_evaluation.bootstrap_samples": 100}
        params = params_file({**of_schema, "model_evaluation.threshold": 0.5, **bootstrap, **more})
        argv = [f"--params={params}", f"--model={tmp_path / 'model.skops'}"]
        argv += [f"--points={tmp_path / 'points.json'}", f"--cv-results={tmp_path / 'cv.csv'}"]
        argv.append(f"--robustness={tmp_path / 'robustness.json'}")
        for name in ("train", "test"):
            argv += [f"--{name}={tmp_path / name}.parquet"]
            argv += [f"--{name}-features={tmp_path / name}.npz"]
        reports = tmp_path / "reports"
        argv += [f"--{name}={reports / file}" for name, file in OUTPUTS.items()]
        if origin is not None:
            (tmp_path / "source.json").write_text(json.dumps(origin))
            argv.append(f"--origin={tmp_path / 'source.json'}")
        model_evaluation.main(argv)
        return reports

    return run


def read(reports):
    return tuple(
        json.loads((reports / f"{name}.json").read_text()) for name in ("metrics", "intervals")
    )


def read_test(folder):
    """Return the test rows, and the features of them."""
    df = pd.read_parquet(folder / "test.parquet")
    return df, load_matrix(folder / "test.npz", len(df))


def test_every_task_has_an_evaluation():
    assert EVALUATIONS.keys() == TASKS.keys()


@pytest.mark.parametrize("task", TASKS)
def test_each_metric_has_an_interval_and_a_difference_from_the_baseline(evaluate, task):
    metrics, intervals = read(evaluate(task))
    for name in ("test", "train", "baseline"):
        assert metrics[name].keys() == intervals[name].keys()
        for metric, interval in intervals[name].items():
            assert interval["low"] <= metrics[name][metric] <= interval["high"], metric
    for metric, difference in intervals["difference"].items():
        assert difference["low"] <= difference["value"] <= difference["high"]
        expected = metrics["test"][metric] - metrics["baseline"][metric]
        assert difference["value"] == pytest.approx(expected, abs=1e-5)
    assert metrics["test"].keys() == intervals["difference"].keys()
    primary = EVALUATIONS[task].primary
    assert np.sign(intervals["difference"][primary]["low"]) == np.sign(
        intervals["difference"][primary]["high"]
    )


@pytest.mark.parametrize("task", TASKS)
def test_the_column_that_decides_the_target_is_the_most_important_one(evaluate, task):
    metrics, _ = read(evaluate(task))
    assert list(metrics["importance"]) == ["width", "height"]
    width, height = (metrics["importance"][name]["mean"] for name in ("width", "height"))
    assert width > 0.2 > abs(height)


@pytest.mark.parametrize("task", TASKS)
def test_slices_divide_the_test_rows(evaluate, task):
    metrics, intervals = read(evaluate(task, slices=["shop", "height"]))
    for column, n_slices in (("shop", 2), ("height", 5)):
        found = metrics["slices"][column]
        assert len(found) == n_slices
        assert sum(each["rows"] for each in found.values()) == 40
        assert found.keys() == intervals["slices"][column].keys()
    assert list(metrics["slices"]["shop"]) == ["north", "south"]


def test_a_slice_of_a_column_that_is_not_stored_is_refused(evaluate):
    with pytest.raises(ValueError, match=r"slices: column 'city' is not stored: choose from width"):
        evaluate("binary", slices=["city"])


class Page(HTMLParser):
    """Collects the texts of headings, and counts pictures."""

    def __init__(self, text):
        super().__init__()
        self.headings, self.n_pictures, self.is_heading = [], 0, False
        self.feed(text)

    def handle_starttag(self, tag, _):
        self.is_heading = tag in ("h1", "h2")
        self.n_pictures += tag == "img"

    def handle_data(self, data):
        if self.is_heading:
            self.headings.append(data)
        self.is_heading = False


HEADINGS = {
    "binary": [],
    "multiclass": ["Telling features", "Labels"],
    "regression": ["Prediction intervals"],
}


@pytest.mark.parametrize("task", TASKS)
def test_the_report_fits_the_task(evaluate, task):
    reports = evaluate(task, slices=["shop"])
    page = Page((reports / "report.html").read_text())
    common = ["Metrics", "Plots", "Importance of columns", "By shop"]
    assert page.headings[1:] == [*common, *HEADINGS[task], "Errors"]
    images = sorted((reports / "plots" / "images").iterdir())
    assert page.n_pictures == len(images) >= 4
    for path in images:
        with Image.open(path) as image:
            assert len(image.convert("L").getcolors()) > 10, path.name


@pytest.mark.parametrize("is_pinned", [True, False])
def test_the_report_says_if_the_data_is_not_pinned(evaluate, is_pinned):
    origin = {"sha256": "0" * 64, "pinned": is_pinned, "source": "sales", "fetched": "2026-01-02"}
    text = (evaluate("regression", origin) / "report.html").read_text()
    assert ("not pinned: it was fetched from sales at 2026-01-02" in text) is not is_pinned


@pytest.mark.parametrize("task", TASKS)
def test_every_plot_of_dvc_has_a_file(evaluate, task):
    plots = evaluate(task) / "plots"
    found = {name: json.loads((plots / f"{name}.json").read_text()) for name in PLOTS}
    n_drawn = {"binary": len(PLOTS), "multiclass": len(PLOTS) - 1, "regression": 0}
    assert sum(bool(content) for content in found.values()) == n_drawn[task]


@pytest.mark.parametrize("task", TASKS)
def test_twice_gives_the_same_bytes(evaluate, task):
    contents = []
    for _ in range(2):
        reports = evaluate(task, slices=["shop"])
        paths = sorted(path for path in reports.rglob("*") if path.is_file())
        contents.append([(path.name, path.read_bytes()) for path in paths])
    assert contents[0] == contents[1]


def test_metrics_of_several_labels_are_those_of_the_predictions(evaluate, tmp_path):
    metrics, _ = read(evaluate("multiclass"))
    df, X = read_test(tmp_path)
    model = load_model(tmp_path / "model.skops")[-1]
    truth, predicted = df["size"].astype("str").to_numpy(object), model.predict(X)
    probability = model.predict_proba(X)
    found = metrics["test"]
    assert found["accuracy"] == round(sk.accuracy_score(truth, predicted), 6)
    assert found["balanced_accuracy"] == round(sk.balanced_accuracy_score(truth, predicted), 6)
    assert found["macro_f1"] == round(sk.f1_score(truth, predicted, average="macro"), 6)
    assert found["mcc"] == round(sk.matthews_corrcoef(truth, predicted), 6)
    assert found["log_loss"] == pytest.approx(sk.log_loss(truth, probability), abs=1e-6)
    area = sk.roc_auc_score(truth, probability, multi_class="ovr")
    assert found["roc_auc_ovr"] == pytest.approx(area, abs=1e-6)
    precision, recall, f1, rows = sk.precision_recall_fscore_support(
        truth, predicted, labels=["low", "middle", "high"]
    )
    for i, label in enumerate(["low", "middle", "high"]):
        assert metrics["labels"][label] == {
            "rows": rows[i],
            "precision": round(precision[i], 6),
            "recall": round(recall[i], 6),
            "f1": round(f1[i], 6),
        }


def test_metrics_of_a_regression_are_those_of_the_predictions(evaluate, tmp_path):
    metrics, _ = read(evaluate("regression"))
    df, X = read_test(tmp_path)
    truth, predicted = df["size"], load_model(tmp_path / "model.skops")[-1].predict(X)
    found = metrics["test"]
    assert found["mae"] == pytest.approx(sk.mean_absolute_error(truth, predicted), rel=1e-6)
    assert found["rmse"] == pytest.approx(sk.root_mean_squared_error(truth, predicted), rel=1e-6)
    assert found["r2"] == pytest.approx(sk.r2_score(truth, predicted), rel=1e-6)
    median = sk.median_absolute_error(truth, predicted)
    assert found["median_absolute_error"] == pytest.approx(median, rel=1e-6)
    share = sk.mean_absolute_percentage_error(truth, predicted)
    assert found["mape"] == pytest.approx(share, rel=1e-6)
    assert found["total_bias"] == pytest.approx(predicted.sum() / truth.sum() - 1, abs=1e-6)


def test_prediction_intervals_are_measured_overall_and_by_fifth(evaluate, tmp_path):
    metrics, intervals = read(evaluate("regression", interval_coverage=0.5))
    found = metrics["prediction_intervals"]
    assert (found["coverage"], found["margin"]) == (0.5, 0.7)
    df, X = read_test(tmp_path)
    error = load_model(tmp_path / "model.skops")[-1].predict(X) - df["size"]
    every, *fifths = found["measured"].values()
    expected = round((error.abs() <= 0.7).mean(), 6)
    assert every == {"rows": 40, "coverage": expected, "width": 1.4}
    assert [part["rows"] for part in fifths] == [8] * 5
    for name, part in found["measured"].items():
        interval = intervals["prediction_intervals"][name]["coverage"]
        assert interval["low"] <= part["coverage"] <= interval["high"]


def test_the_largest_errors_come_first(evaluate):
    errors = pd.read_csv(evaluate("regression") / "errors.csv")
    assert list(errors) == ["row", "size", "predicted", "error", "shop", "width", "height"]
    assert errors["error"].abs().is_monotonic_decreasing
    assert len(errors) == 40


def test_wrong_labels_are_listed_with_the_probability_of_the_right_one(evaluate):
    metrics, _ = read(reports := evaluate("multiclass"))
    errors = pd.read_csv(reports / "errors.csv")
    assert len(errors) == round(40 * (1 - metrics["test"]["accuracy"]))
    assert (errors["size"] != errors["predicted"]).all()
    assert (errors["probability"] >= errors["probability of the target"]).all()
    assert errors["probability"].is_monotonic_decreasing


@pytest.mark.parametrize("content", ["", "[]", '{"model_sha256": "x", "intervals": [{}]}'])
def test_refuses_another_file_as_prediction_intervals(tmp_path, content):
    (tmp_path / "points.json").write_text(content)
    with pytest.raises(ValueError, match=r"points\.json does not hold prediction intervals: run "):
        EVALUATIONS["regression"].read_points(tmp_path / "points.json", tmp_path / "m", "x")


def test_refuses_prediction_intervals_of_another_model(tmp_path):
    (tmp_path / "points.json").write_text('{"model_sha256": "abc"}')
    with pytest.raises(ValueError, match=r"holds the prediction intervals of model abc, but "):
        EVALUATIONS["regression"].read_points(tmp_path / "points.json", tmp_path / "m", "x")
