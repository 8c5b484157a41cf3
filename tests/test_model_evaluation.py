"""Tests of evaluating the model."""

import json

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from PIL import Image
from sklearn import metrics
from sklearn.linear_model import LogisticRegression

import model_evaluation
from core.params import read_params
from evaluation.binary import find_errors
from evaluation.scores import EvaluationParams, Scored
from features.matrices import save_matrix
from model_evaluation import OUTPUTS
from models.store import read_digest, save_model
from models.threshold import OperatingPoint, write_points
from records.schema import Schema
from tests.support.descriptions import describe
from tests.support.schemas import MESSAGES
from tests.support.word_counts import TEST, TRAIN, make_model

CV_RESULTS = """\
rank_test_score,params,scoring,mean_test_score,std_test_score,split0_test_score
1,"{'C': 1}",f1,0.95,0.0125,0.96
2,"{'C': 9}",f1,0.85,0.0225,0.86
"""

RATE = {"rate": 0.75, "low": 0.5, "high": 1.0}
DISGUISED = {"caught": RATE, "blocked": RATE, "example": "f r e e <b>"}
ROBUSTNESS = {
    "worst": 0.75,
    "worst_attack": "spaced_text",
    "mean": 0.75,
    "clean": DISGUISED,
    "attacks": {"spaced_text": DISGUISED, "typos": DISGUISED},
}


@pytest.fixture
def files(tmp_path):
    model, X_train = make_model(LogisticRegression(), TRAIN)
    X_test = sp.csr_matrix(model[0].transform(TEST), dtype=np.float32)
    save_model(describe(model, TRAIN, MESSAGES), tmp_path / "model.skops")
    for name, df, X in (("train", TRAIN, X_train), ("test", TEST, X_test)):
        df.to_parquet(tmp_path / f"{name}.parquet")
        save_matrix(X, tmp_path / f"{name}.npz")
    (tmp_path / "cv.csv").write_text(CV_RESULTS)
    point = OperatingPoint(threshold=0.25, recall=0.75, fpr=0.001)
    write_points([point], tmp_path / "model.skops", tmp_path / "model.points.json")
    measured = {"model_sha256": read_digest(tmp_path / "model.skops"), **ROBUSTNESS}
    (tmp_path / "robustness.json").write_text(json.dumps(measured))
    return tmp_path


@pytest.fixture
def evaluate(params_file, files):
    """Return a function that evaluates the model in ``files``."""

    def run(outputs=None, **changes):
        params = params_file({f"model_evaluation.{key}": value for key, value in changes.items()})
        argv = [f"--params={params}", f"--model={files / 'model.skops'}"]
        argv.append(f"--points={files / 'model.points.json'}")
        for name in ("train", "test"):
            argv += [f"--{name}={files / name}.parquet", f"--{name}-features={files / name}.npz"]
        argv.append(f"--cv-results={files / 'cv.csv'}")
        argv.append(f"--robustness={files / 'robustness.json'}")
        reports = files / "reports"
        argv += [f"--{name}={reports / file}" for name, file in OUTPUTS.items()]
        argv += [f"--{name}={files / path}" for name, path in (outputs or {}).items()]
        model_evaluation.main(argv)
        return reports

    return run


def test_metrics_are_those_of_the_predictions(evaluate):
    found = json.loads((evaluate() / "metrics.json").read_text())
    truth = TEST["label"] == "spam"
    predicted = np.array([False] * 6 + [True] * 4)
    assert found["test"]["accuracy"] == 0.9
    assert found["test"]["f1"] == round(metrics.f1_score(truth, predicted), 6)
    assert found["test"]["mcc"] == round(metrics.matthews_corrcoef(truth, predicted), 6)
    assert found["test"]["spam_caught"] == 1
    assert found["test"]["ham_blocked"] == round(1 / 7, 6)
    assert found["train"]["accuracy"] == 1
    assert set(found["train"]) == set(found["test"])


def test_the_metrics_include_the_score_of_cross_validation(evaluate):
    reports = evaluate()
    found = json.loads((reports / "metrics.json").read_text())
    assert found["cv"] == {"f1": 0.95, "f1_std": 0.0125}
    assert "f1 0.9500 ± 0.0125" in (reports / "report.html").read_text()


def test_the_test_set_measures_the_operating_point_of_cross_validation(evaluate):
    found = json.loads((evaluate(max_fpr=0.001) / "metrics.json").read_text())
    cross_validated = {"threshold": 0.25, "cv_recall": 0.75, "cv_fpr": 0.001}
    assert found["operating_point"] == {**cross_validated, "recall": 1.0, "fpr": round(1 / 7, 6)}


def test_succeeds_without_an_operating_point(evaluate):
    reports = evaluate(max_fpr=0.0001)
    assert json.loads((reports / "metrics.json").read_text())["operating_point"] == {}
    assert "Operating point" not in (reports / "report.html").read_text()


def test_refuses_operating_points_of_another_model(evaluate, files):
    model, _ = make_model(LogisticRegression(C=9), TRAIN)
    save_model(model, files / "model.skops")
    with pytest.raises(ValueError, match=r"points\.json holds the operating points of model "):
        evaluate()


def test_refuses_the_robustness_of_another_model(evaluate, files):
    measured = {"model_sha256": "0" * 64, **ROBUSTNESS}
    (files / "robustness.json").write_text(json.dumps(measured))
    with pytest.raises(
        ValueError, match=r"robustness\.json is about model 0{12}, not about model "
    ):
        evaluate()


@pytest.mark.parametrize("content", ["", "[]", "{}", "\0"])
def test_refuses_another_file_as_robustness(evaluate, files, content):
    (files / "robustness.json").write_text(content)
    with pytest.raises(ValueError, match=r"robustness\.json does not hold what the stage "):
        evaluate()


def test_the_report_shows_robustness(evaluate):
    text = (evaluate() / "report.html").read_text()
    assert "f r e e &lt;b&gt;" in text
    assert "75.0% under the worst of them (spaced text)" in text


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", CV_RESULTS.replace("0.95", "x"), "\0"])
def test_refuses_other_results_of_cross_validation(evaluate, files, content):
    (files / "cv.csv").write_text(content)
    with pytest.raises(ValueError, match=r"cv\.csv is not a table of cross-validation results: "):
        evaluate()


def test_every_metric_has_an_interval_around_it(evaluate):
    reports = evaluate()
    found = json.loads((reports / "metrics.json").read_text())
    intervals = json.loads((reports / "intervals.json").read_text())
    for name in ("test", "train"):
        assert set(intervals[name]) == set(found[name])
        for metric, interval in intervals[name].items():
            assert interval["low"] <= found[name][metric] <= interval["high"], metric


def test_the_interval_of_no_ham_blocked_reaches_above_zero(evaluate):
    reports = evaluate(threshold=0.9999)
    blocked = json.loads((reports / "intervals.json").read_text())["test"]["ham_blocked"]
    n_groups = TEST.loc[TEST["label"] == "ham", "group"].nunique()
    assert blocked == {"low": 0, "high": round(1 - 0.025 ** (1 / n_groups), 6)}
    assert f"[0.00%, {100 * blocked['high']:.2f}%]" in (reports / "report.html").read_text()


def test_the_threshold_changes_the_metrics(evaluate):
    found = json.loads((evaluate(threshold=0.9999) / "metrics.json").read_text())
    assert found["test"]["recall"] == 0
    assert found["test"]["ham_blocked"] == 0


def test_lists_errors_with_their_rows(evaluate):
    errors = pd.read_csv(evaluate() / "errors.csv")
    assert errors[["row", "label", "predicted"]].to_numpy().tolist() == [[106, "ham", "spam"]]
    assert errors["text"].tolist() == ["free cash prize"]


def test_the_most_confident_errors_come_first(params_file):
    probability = np.array([0.6] * 5 + [0.9] * 2 + [0.1] * 3)
    scored = Scored(TEST, ["ham", "spam"], (TEST["label"] == "spam").to_numpy(), probability)
    path = params_file({"model_evaluation.threshold": 0.5})
    schema = read_params(path, "schema", Schema)
    errors = find_errors(scored, schema, read_params(path, "model_evaluation", EvaluationParams))
    assert errors["probability"].tolist() == [0.9] * 2 + [0.1] * 3 + [0.6] * 5


def test_draws_pictures(evaluate):
    pictures = sorted((evaluate() / "plots" / "images").glob("*.png"))
    assert len(pictures) == 8
    for picture in pictures:
        with Image.open(picture) as image:
            assert len(image.convert("L").getcolors()) > 10, picture.name


def test_the_report_shows_every_picture(evaluate):
    text = (evaluate() / "report.html").read_text()
    assert text.count('src="data:image/png;base64,') == 8


def test_twice_gives_the_same_bytes(evaluate, files):
    contents = []
    for _ in range(2):
        reports = evaluate()
        paths = sorted(path for path in reports.rglob("*") if path.is_file())
        contents.append([(path.relative_to(files), path.read_bytes()) for path in paths])
    assert contents[0] == contents[1]


def test_outputs_may_have_any_name_and_folder(evaluate, files):
    names = {
        "metrics": "a/m.json",
        "intervals": "b/plots",
        "report": "c/metrics.json",
        "plots": "d/intervals.json",
        "errors": "wrong",
    }
    evaluate(names)
    assert json.loads((files / "a/m.json").read_text())["test"]["accuracy"] == 0.9
    assert "low" in json.loads((files / "b/plots").read_text())["test"]["accuracy"]
    assert (files / "c/metrics.json").read_text().startswith("<!doctype html>")
    assert (files / "d/intervals.json/sklearn/roc.json").is_file()
    assert pd.read_csv(files / "wrong")["row"].tolist() == [106]
    assert list(files.rglob("*.tmp")) == []


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({"errors": "x", "report": "x"}, r"--errors \S+x would overwrite --report \S+x: choose"),
        ({"plots": "out", "report": "out/r.html"}, r"--plots \S+out would overwrite --report "),
        ({"errors": "train.npz"}, r"--errors \S+train.npz would overwrite --train-features "),
        ({"plots": "."}, r"--plots \S+ would overwrite --params "),
    ],
)
def test_refuses_to_overwrite_another_file(evaluate, files, outputs, message):
    before = sorted(files.rglob("*"))
    with pytest.raises(ValueError, match=message):
        evaluate(outputs)
    assert sorted(path for path in files.rglob("*") if path.name != "params.yaml") == [
        path for path in before if path.name != "params.yaml"
    ]


def test_leaves_no_temporary_file(evaluate):
    assert list(evaluate().rglob("*.tmp")) == []


def test_refuses_a_test_set_of_one_label(evaluate, files):
    TEST.assign(label=TEST["label"].where(TEST["label"] == "ham", "ham")).to_parquet(
        files / "test.parquet"
    )
    with pytest.raises(ValueError, match="all rows have one label"):
        evaluate()
    assert not (files / "reports" / "metrics.json").exists()


def test_refuses_a_truncated_model(evaluate, files):
    content = (files / "model.skops").read_bytes()
    (files / "model.skops").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"model\.skops is damaged or no model"):
        evaluate()
