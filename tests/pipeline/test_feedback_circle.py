"""Test of the whole circle: a wrong answer, feedback, review, training, the right answer."""

import json
import re
import urllib.request

import pandas as pd
import yaml

from records.additions import read_added
from tests.support.running_service import PATIENCE, run_service, wait_for

# The model knows these words from spam. None of its messages is like them as a whole, so that they
# come to the training set.
TEXT = "please bring the cash for you and me, call 09061701461 now {} lol"
VARIANTS = [TEXT.format(number) for number in ("", 2, 3, 4)]


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


def test_a_correction_that_is_accepted_changes_what_the_service_says(repository):
    store = "sqlite:///data/feedback/feedback.db"
    repository.environment["FEEDBACK_URL"] = store
    command = ["python", "src", "feedback"]
    train, test = read_sides(repository)
    doubted = test["text"][0]
    right = {"ham": "spam", "spam": "ham"}[test["label"][0]]
    with run_service(repository.path, FEEDBACK_URL=store) as service:
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
