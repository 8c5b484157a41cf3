"""Tests of the whole circle: a wrong answer, feedback, review, training, the right answer."""

import csv
import io
import json
import re
import urllib.request

import pandas as pd
import pytest
import yaml

from records.additions import read_added
from tests.support.running_service import PATIENCE, run_service, wait_for

# The model knows these words from spam. None of its messages is like them as a whole, so that they
# come to the training set.
TEXT = "please bring the cash for you and me, call 09061701461 now {} lol"
VARIANTS = [TEXT.format(number) for number in ("", 2, 3, 4)]

STORE = "sqlite:///data/feedback/feedback.db"
# The price is the size and what the shop adds. The data knows nothing of the shop c.
ADDED = {"a": 0, "b": 100, "c": 300}
PARAMS = {
    "schema.task": "regression",
    "schema.target": "price",
    "schema.labels": [],
    "schema.text": [],
    "schema.number": ["size"],
    "schema.category": ["shop"],
    "schema.date": ["sold"],
    "schema.id": ["id"],
    "schema.drop": ["note"],
    "data_validation.separator": ";",
    "data_validation.quoting": True,
    "data_validation.columns": None,
    "data_validation.encoding": "latin-1",
    "data_validation.decimal": ",",
    "data_validation.rename": [{"column": "Größe", "to": "size"}],
    "data_validation.date_formats": [{"column": "sold", "format": "%d.%m.%Y"}],
    "preprocessing.duplicates": "exact",
    "model_building.estimator": "linear_regression",
    "model_building.params": {},
    "model_building.class_weight": None,
    "model_building.search": {
        "grid": {},
        "n_iter": None,
        "cv": 3,
        "scoring": "r2",
        "n_jobs": 1,
    },
    "model_evaluation.bootstrap_samples": 100,
    "model.name": "shops",
}


def ask(url, path, content):
    """Post JSON and return the answer."""
    request = urllib.request.Request(
        url + path, json.dumps(content).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return json.load(answer)


def predict(url):
    answer = ask(url, "/v1/predict", {"texts": VARIANTS})
    return answer["model_version"], [found["label"] for found in answer["predictions"]]


def read_sides(repository):
    """Return the training and the test set."""
    folder = repository.path / "data" / "interim"
    return [pd.read_parquet(folder / f"{side}.parquet") for side in ("train", "test")]


def predict_numbers(url, rows):
    """Return the model's version and its predictions."""
    answer = ask(url, "/v1/predict", {"rows": rows})
    return answer["model_version"], [found["prediction"] for found in answer["predictions"]]


def make_row(number, shop):
    """Return a row as the service takes it, and its right price."""
    size = number % 97 + 0.5
    sold = f"2024-{number % 12 + 1:02}-{number % 28 + 1:02}"
    return {"Größe": size, "shop": shop, "sold": sold}, size + ADDED[shop]


def make_source():
    """Return 300 rows of CSV with a decimal comma."""
    file = io.StringIO()
    writer = csv.writer(file, delimiter=";", lineterminator="\n")
    writer.writerow(["id", "Größe", "note", "shop", "sold", "price"])
    for number in range(300):
        row, price = make_row(number, "ab"[number % 2])
        day = "{2}.{1}.{0}".format(*row["sold"].split("-"))
        size = str(row["Größe"]).replace(".", ",")
        writer.writerow([number, size, "", row["shop"], day, str(price).replace(".", ",")])
    return file.getvalue().encode("latin-1")


@pytest.fixture
def table(new_checkout):
    """Return a repository that was trained on the table."""
    repository = new_checkout("table")
    (repository.path / "dvc.lock").unlink(missing_ok=True)
    repository.set_data(make_source())
    repository.set_params(PARAMS)
    repository.run("dvc", "repro")
    repository.commit()
    return repository


def test_a_correction_that_is_accepted_changes_what_the_service_says(repository):
    repository.environment["FEEDBACK_URL"] = STORE
    command = ["python", "src", "feedback"]
    train, test = read_sides(repository)
    doubted = test["text"][0]
    right = {"ham": "spam", "spam": "ham"}[test["label"][0]]
    with run_service(repository.path, FEEDBACK_URL=STORE) as service:
        version, labels = predict(service.url)
        assert labels == ["spam"] * 4
        said = [(text, "ham") for text in VARIANTS] + [(doubted, right), ("a joke", "ham")]
        for text, label in said:
            stored = ask(service.url, "/v1/feedback", {"text": text, "label": label})
            assert stored["predicted"]["model_version"] == version
        assert repository.run(*command, "list", "--status", "pending").count("  pending  ") == 6
        repository.run(*command, "accept", "--up-to", "5")
        printed = repository.run(*command, "export", "--output", "data/feedback/reviewed.tsv")
        entry = yaml.safe_load(re.search(r"^  additions:\n(  .*\n)+", printed, re.MULTILINE)[0])
        repository.set_params({"data_ingestion.additions": entry["additions"]})
        repository.run("dvc", "repro")

        raw = repository.path / "data" / "raw"
        added = "".join(f"{label}\t{' '.join(text.split())}\n" for text, label in said[:5])
        assert read_added((raw / "additions").read_bytes()).decode() == added
        assert (raw / "source").read_bytes() == (repository.path / "source.tsv").read_bytes()
        new_train, new_test = read_sides(repository)
        pd.testing.assert_frame_equal(new_train[:-4], train)
        assert new_train["text"].tolist()[-4:] == [" ".join(text.split()) for text in VARIANTS]
        assert new_test["label"].tolist() == [right, *test["label"][1:]]
        pd.testing.assert_frame_equal(new_test.drop(columns="label"), test.drop(columns="label"))
        assert "up to date" in repository.run("dvc", "status")
        wait_for(lambda: predict(service.url)[0] != version, service.read_log)
        new_version, labels = predict(service.url)
    assert new_version != version
    assert labels == ["ham"] * 4
    changed = repository.run("git", "status", "--porcelain", "--untracked-files=all").split("\n")
    assert {line[3:] for line in changed} <= {
        "",
        "dvc.lock",
        "params.yaml",
        "reports/metrics.json",
        "reports/intervals.json",
        "reports/robustness.json",
    }


def test_corrections_that_are_accepted_change_the_predictions(table):
    table.environment["FEEDBACK_URL"] = STORE
    command = ["python", "src", "feedback"]
    train, test = read_sides(table)
    said = [make_row(number, "c") for number in range(40)]
    rows, prices = [row for row, _ in said], [price for _, price in said]
    with run_service(table.path, FEEDBACK_URL=STORE) as service:
        version, before = predict_numbers(service.url, rows)
        assert max(before) < 200
        for row, price in said:
            stored = ask(service.url, "/v1/feedback", {"row": row, "number": price})
            assert stored["predicted"]["model_version"] == version
        # Somebody's joke, which is refused.
        ask(service.url, "/v1/feedback", {"row": rows[0], "number": -5})
        listed = table.run(*command, "list", "--model", "shops", "--status", "pending")
        assert listed.count("  pending  ") == 41
        assert '    Größe=0.5  shop="c"  sold="01.01.2024"' in listed
        table.run(*command, "refuse", "41")
        table.run(*command, "accept", "--up-to", "41")
        printed = table.run(*command, "export", "--output", "data/feedback/reviewed.csv")
        entry = yaml.safe_load(re.search(r"^  additions:\n(  .*\n)+", printed, re.MULTILINE)[0])
        table.set_params({"data_ingestion.additions": entry["additions"]})
        table.run("dvc", "repro")

        added = read_added((table.path / "data" / "raw" / "additions").read_bytes()).decode()
        assert added.splitlines()[1] == ";1,5;;c;02.02.2024;301,5"
        new_train, new_test = read_sides(table)
        pd.testing.assert_frame_equal(new_test, test)
        assert new_train["price"].tolist() == [*train["price"], *prices]
        assert new_train["size"].tolist()[-40:] == [row["Größe"] for row in rows]
        assert "up to date" in table.run("dvc", "status")
        wait_for(lambda: predict_numbers(service.url, rows)[0] != version, service.read_log)
        after = predict_numbers(service.url, rows)[1]
    assert after == pytest.approx(prices, abs=1)
