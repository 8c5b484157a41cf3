"""Tests of predicting with the pipeline's model, as a program."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from common.matrices import load_matrix
from common.models import load_model
from common.params import read_params
from common.tables import read_table
from model_evaluation import EvaluationParams, compute_metrics, score
from registry import MODEL, TEST_SET

COLUMNS = ["label", "text", "group", "row"]


@pytest.fixture(scope="module")
def evaluated(finished):
    """Return the test set with the probabilities that the evaluation computed."""
    df = read_table(finished.path / TEST_SET, COLUMNS)
    X = load_matrix(finished.path / "data" / "processed" / "test.npz", len(df))
    return score(load_model(finished.path / MODEL), df, X)


@pytest.fixture(scope="module")
def raw(finished, evaluated):
    """Return the test set's messages as they were received, before they were normalised."""
    messages = pd.read_parquet(finished.path / "data" / "interim" / "messages.parquet")
    return messages.set_index("row").loc[evaluated["row"], ["text"]].reset_index()


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Return a file that takes some seconds to score."""
    path = tmp_path_factory.mktemp("many") / "many.csv"
    path.write_text("text\n" + "".join(f"call {n} for your prize now\n" for n in range(200_000)))
    return path


def start(repository, *arguments, **options):
    command = [sys.executable, "src/predict.py", *map(str, arguments)]
    return subprocess.Popen(command, cwd=repository.path, env=repository.environment, **options)


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl"])
def test_predicts_what_the_evaluation_measured(finished, evaluated, raw, tmp_path, suffix):
    source, target = tmp_path / f"test.{suffix}", tmp_path / f"scored.{suffix}"
    if suffix == "parquet":
        raw.to_parquet(source)
    elif suffix == "csv":
        raw.to_csv(source, index=False)
    else:
        raw.to_json(source, orient="records", lines=True)
    finished.run("python", "src/predict.py", "--input", str(source), "--output", str(target))
    if suffix == "parquet":
        scored = pd.read_parquet(target)
    elif suffix == "csv":
        scored = pd.read_csv(target)
    else:
        scored = pd.read_json(target, orient="records", lines=True, precise_float=True)
    assert scored["row"].tolist() == evaluated["row"].tolist()
    assert scored["probability"].tolist() == evaluated["probability"].tolist()
    params = read_params(finished.path / "params.yaml", "model_evaluation", EvaluationParams)
    predicted = evaluated.assign(probability=scored["probability"].to_numpy())
    metrics, _ = compute_metrics(predicted, params)
    reported = json.loads((finished.path / "reports" / "metrics.json").read_text())["test"]
    assert metrics == reported
    is_right = scored["label"].to_numpy() == evaluated["label"].astype("str").to_numpy()
    assert round(is_right.mean(), 6) == reported["accuracy"]


def test_a_rate_gives_the_recall_that_the_evaluation_reports(finished, evaluated, raw, tmp_path):
    source, target = tmp_path / "test.csv", tmp_path / "scored.csv"
    raw.to_csv(source, index=False)
    params = read_params(finished.path / "params.yaml", "model_evaluation", EvaluationParams)
    arguments = ["--max-fpr", str(params.max_fpr), "--input", str(source), "--output", str(target)]
    finished.run("python", "src/predict.py", *arguments)
    is_caught = (pd.read_csv(target)["label"] == "spam").to_numpy()
    is_spam = evaluated["is_positive"].to_numpy()
    reported = json.loads((finished.path / "reports" / "metrics.json").read_text())["test"]
    assert is_caught[~is_spam].mean() <= params.max_fpr
    assert round(is_caught[is_spam].mean(), 6) == reported["recall_at_max_fpr"]


def test_is_a_filter(finished):
    text = 'id,text\n01,"WIN a prize now, txt CLAIM to 80062"\n02,\n03,home for dinner?\n'
    arguments = ["--input", "-", "--output", "-", "--format", "csv"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = start(finished, *arguments, text=True, **pipes)
    out, err = process.communicate(text)
    assert process.returncode == 0
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [(row["id"], row["label"]) for row in rows] == [("01", "spam"), ("03", "ham")]
    assert "line 3 rejected: empty text" in err


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_closed_pipe_ends_it_without_a_word(finished, many, n_jobs):
    arguments = ["--input", many, "--output", "-", "--jobs", n_jobs]
    process = start(finished, *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline() == b"text,label,probability,model_version\n"
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 141


def test_killed_it_leaves_the_old_output_and_no_process(finished, many, tmp_path):
    target = tmp_path / "scored.csv"
    target.write_text("old")
    arguments = ["--input", many, "--output", target, "--jobs", "2"]
    read_end, write_end = os.pipe()
    process = start(finished, *arguments, stderr=write_end, pass_fds=[write_end])
    os.close(write_end)
    written = tmp_path / ".scored.csv.tmp"
    deadline = time.monotonic() + 60
    while not (written.exists() and written.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    # Whoever lives on holds standard error open; reading ends when nobody does.
    with os.fdopen(read_end, "rb") as errors:
        errors.read()
    assert target.read_text() == "old"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--input", "no.csv", "--output", "b.csv"], "no.csv does not exist"),
        (["hello", "--threshold", "2"], "--threshold is 2: give a number from 0 to 1"),
    ],
)
def test_ends_in_one_sentence(finished, arguments, message):
    ran = finished.try_run("python", "src/predict.py", *arguments)
    assert ran.returncode == 1
    assert message in ran.stdout
    assert "Traceback" not in ran.stdout
