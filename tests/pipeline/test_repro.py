"""Tests that run the whole pipeline with the real dvc."""

import json
import re

import pytest

from tests.pipeline.conftest import Repository

STAGES = [
    "data_ingestion",
    "data_validation",
    "preprocessing",
    "feature_engineering",
    "model_building",
    "robustness",
    "model_evaluation",
]


def find_runs(output):
    return re.findall(r"Running stage '(\w+)'", output)


def test_nothing_runs_when_nothing_changed(repository):
    assert find_runs(repository.run("dvc", "repro")) == []
    assert "up to date" in repository.run("dvc", "status")
    assert repository.run("git", "status", "--porcelain") == ""


def test_another_clone_makes_the_same_lock(finished, tmp_path):
    clone = tmp_path / "a clone"
    finished.run("git", "clone", "--quiet", ".", str(clone))
    lock = (clone / "dvc.lock").read_bytes()
    other = Repository(clone, {"PYTHONHASHSEED": "1", "OMP_NUM_THREADS": "3", "TZ": "Asia/Tokyo"})
    output = other.run("dvc", "repro")
    # What robustness makes is in Git alone, and its dependencies are what dvc.lock says.
    others = [stage for stage in STAGES if stage != "robustness"]
    assert find_runs(output) == others
    assert "WARNING" not in output
    assert "is empty" not in output
    assert (clone / "dvc.lock").read_bytes() == lock
    assert other.run("git", "status", "--porcelain") == ""
    log = (clone / "logs" / "pipeline.log").read_text()
    for stage in others:
        assert re.search(rf" {stage} INFO done in \d+\.\d\d s", log)
    assert "data_validation INFO checked 182 rows in" in log


def test_a_change_of_the_model_runs_only_what_follows_and_can_be_compared(repository):
    shown = json.loads(repository.run("dvc", "metrics", "show", "--json"))
    files = shown[""]["data"]
    assert files["reports/metrics.json"]["data"]["test"]["roc_auc"] > 0.9
    # DVC writes the small number in a way that other readers of YAML take for text.
    changes = ["-S", "model_building.params.C=0.0001", "-S", "model_building.params.tol=1e-05"]
    output = repository.run("dvc", "exp", "run", *changes)
    assert find_runs(output) == ["model_building", "robustness", "model_evaluation"]
    difference = json.loads(repository.run("dvc", "metrics", "diff", "--json"))
    assert difference["reports/metrics.json"]["test.brier_score"]["diff"] > 0
    repository.run("dvc", "plots", "show", "--out", "plots")
    page = (repository.path / "plots" / "index.html").read_text()
    for title in ("ROC", "Precision and recall", "Calibration", "Confusion matrix", "threshold"):
        assert title in page
    assert len(list((repository.path / "plots").rglob("*.png"))) == 8


def test_a_change_of_tokens_runs_the_features_but_not_the_validation(repository):
    repository.set_params({"preprocessing.stemmer": "none"})
    repository.environment["LOG_LEVEL"] = "WARNING"
    output = repository.run("dvc", "repro", "feature_engineering")
    assert find_runs(output) == ["preprocessing", "feature_engineering"]
    assert "INFO" not in output


def read_complaint(run, stage):
    """Return the one line that a failed stage logged as its error."""
    assert run.returncode != 0
    assert "Traceback" not in run.stdout
    errors = [line for line in run.stdout.splitlines() if f" {stage} ERROR " in line]
    assert len(errors) == 1, run.stdout
    return errors[0]


@pytest.mark.parametrize(
    ("change", "stage", "message"),
    [
        ("model_building.params.tol=abc", "model_building", "The 'tol' parameter of Logistic"),
        ("data_ingestion.sources=[nowhere.tsv]", "data_ingestion", "nowhere.tsv: [Errno 2]"),
    ],
)
def test_a_bad_parameter_ends_in_one_sentence(repository, change, stage, message):
    run = repository.try_run("dvc", "exp", "run", "-S", change)
    assert message in read_complaint(run, stage)


def test_bad_data_ends_in_one_sentence_and_can_be_looked_at(repository):
    repository.set_data(b"eggs\thello\nbacon\tagain\n")
    complaint = read_complaint(repository.try_run("dvc", "repro"), "data_validation")
    assert "2 of 2 rows rejected" in complaint
    assert "data/raw/source" in complaint
    rejected = (repository.path / "data" / "interim" / "rejected.csv").read_text()
    assert "3,unknown label" not in rejected
    assert "2,unknown label,'bacon',bacon\tagain" in rejected


def test_an_unexpected_error_keeps_its_traceback(repository):
    script = repository.path / "src" / "preprocessing.py"
    script.write_text(script.read_text().replace("def summarise(", "def summarize("))
    run = repository.try_run("dvc", "repro")
    assert run.returncode != 0
    assert "NameError: name 'summarise' is not defined" in run.stdout
    assert "Traceback" in (repository.path / "logs" / "pipeline.log").read_text()
