"""Tests on the real corpus: what is committed is what the pipeline makes, and it is good."""

import json
import re
import shutil
from pathlib import Path

import pytest

from records.additions import FIRST_LINE
from tests.support.documents import DOCUMENTS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def metrics():
    return json.loads((ROOT / "reports" / "metrics.json").read_text())


@pytest.mark.slow
def test_the_committed_results_can_be_reproduced(new_checkout, real_corpus):
    repository = new_checkout("repository")
    lock = repository.read_lock()
    (repository.path / "data" / "raw").mkdir(parents=True)
    for path in real_corpus.parent.glob(f"{real_corpus.name}*"):
        shutil.copy(path, repository.path / "data" / "raw")
    (repository.path / "data" / "raw" / "additions").write_bytes(FIRST_LINE)
    repository.run("dvc", "commit", "--force", "data_ingestion")
    output = repository.run("dvc", "repro")
    assert "Running stage 'data_ingestion'" not in output, "dvc.lock is not up to date"
    assert repository.read_lock() == lock, "dvc.lock is not up to date: run make repro, commit"
    assert repository.run("git", "status", "--porcelain") == ""
    counts = json.loads((repository.path / "reports" / "preprocessing.json").read_text())
    assert (counts["read"], counts["distinct"], counts["groups"]) == (5574, 5160, 4971)
    validation = json.loads((repository.path / "reports" / "validation.json").read_text())
    assert (validation["accepted"], validation["rejected"]) == (5574, 0)
    table = repository.run("python", *read_summary_command())
    assert "Report with plots and errors: reports/report.html" in table
    # A document shows requests of curl, and their answers.
    if shutil.which("curl"):
        repository.run("python", *read_summary_command(), "--update", *DOCUMENTS)
        assert repository.run("git", "status", "--porcelain") == "", "run make readme"


def read_summary_command():
    """Return the arguments of the Makefile's command that prints the results."""
    makefile = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    return re.search(r"^SUMMARY := python (.*)$", makefile, re.MULTILINE)[1].split()


def test_the_committed_model_is_good(metrics):
    assert metrics["test"]["f1"] >= 0.95
    assert metrics["test"]["mcc"] >= 0.945


def test_spam_caught_and_ham_blocked_are_recall_and_false_positives(metrics):
    assert metrics["test"]["spam_caught"] == metrics["test"]["recall"]
    assert metrics["test"]["ham_blocked"] < 0.005
