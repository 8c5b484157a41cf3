"""Tests of predicting with the pipeline's model, as a program."""

import csv
import gzip
import io
import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest

from commands.registry import MODEL, TEST_SET
from core.params import read_params
from core.tables import read_table
from evaluation.binary import EVALUATION, compute_metrics
from evaluation.scores import EvaluationParams, score
from features.matrices import load_matrix
from models.store import load_model
from tests.support.running_service import wait_for

COLUMNS = ["label", "text", "group", "row"]


@pytest.fixture(scope="module")
def evaluated(finished):
    """Return the test set with the probabilities that the evaluation computed."""
    df = read_table(finished.path / TEST_SET, COLUMNS)
    X = load_matrix(finished.path / "data" / "processed" / "test.npz", len(df))
    scored = score(EVALUATION, load_model(finished.path / MODEL), df, X, "label")
    return df.assign(is_positive=scored.actual, probability=scored.predicted)


@pytest.fixture(scope="module")
def raw(finished, evaluated):
    """Return the test set's messages as they were received, before they were normalised."""
    messages = pd.read_parquet(finished.path / "data" / "interim" / "rows.parquet")
    return messages.set_index("row").loc[evaluated["row"], ["text"]].reset_index()


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Return a file that takes some seconds to score."""
    path = tmp_path_factory.mktemp("many") / "many.csv"
    path.write_text("text\n" + "".join(f"call {n} for your prize now\n" for n in range(200_000)))
    return path


def start(repository, *arguments, **options):
    command = [sys.executable, "src", "predict", *map(str, arguments)]
    return subprocess.Popen(command, cwd=repository.path, env=repository.environment, **options)


def wait_for_output(path):
    """Wait until something is written beside ``path``, under a temporary name."""
    written = path.with_name(f".{path.name}.tmp")
    wait_for(lambda: written.exists() and written.stat().st_size)


@contextmanager
def ended_after(process, seconds):
    """End a process that takes too long, so that whoever reads from it goes on."""
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        process.kill()
        with process:
            process.wait()


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl"])
def test_predicts_what_the_evaluation_measured(finished, evaluated, raw, tmp_path, suffix):
    source, target = tmp_path / f"test.{suffix}", tmp_path / f"scored.{suffix}"
    if suffix == "parquet":
        raw.to_parquet(source)
    elif suffix == "csv":
        raw.to_csv(source, index=False)
    else:
        raw.to_json(source, orient="records", lines=True)
    finished.run("python", "src", "predict", "--input", str(source), "--output", str(target))
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
    metrics, _ = compute_metrics(predicted, ["ham", "spam"], params)
    reported = json.loads((finished.path / "reports" / "metrics.json").read_text())["test"]
    assert metrics == reported
    is_right = scored["label"].to_numpy() == evaluated["label"].astype("str").to_numpy()
    assert round(is_right.mean(), 6) == reported["accuracy"]


def test_a_rate_gives_the_operating_point_of_the_evaluation(finished, evaluated, raw, tmp_path):
    source, target = tmp_path / "test.csv", tmp_path / "scored.csv"
    raw.to_csv(source, index=False)
    params = read_params(finished.path / "params.yaml", "model_evaluation", EvaluationParams)
    arguments = ["--max-fpr", str(params.max_fpr), "--input", str(source), "--output", str(target)]
    finished.run("python", "src", "predict", *arguments)
    is_caught = (pd.read_csv(target)["label"] == "spam").to_numpy()
    is_spam = evaluated["is_positive"].to_numpy()
    reported = json.loads((finished.path / "reports" / "metrics.json").read_text())
    point = reported["operating_point"]
    assert point["cv_fpr"] <= params.max_fpr
    assert round(is_caught[~is_spam].mean(), 6) == point["fpr"]
    assert round(is_caught[is_spam].mean(), 6) == point["recall"]


def test_is_a_filter(finished):
    text = 'id,text\n01,"WIN a prize now, txt CLAIM to 80062"\n02,\n03,home for dinner?\n'
    arguments = ["--input", "-", "--output", "-", "--format", "csv", "--max-rejected", "1"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = start(finished, *arguments, text=True, **pipes)
    out, err = process.communicate(text)
    assert process.returncode == 0
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [(row["id"], row["label"]) for row in rows] == [("01", "spam"), ("03", "ham")]
    assert "line 3 rejected: empty text" in err


@pytest.mark.parametrize(("closed", "jobs"), [(">&-", "1"), ("2>&-", "1"), ("<&- >&- 2>&-", "2")])
def test_does_without_the_standard_streams_it_does_not_need(finished, tmp_path, closed, jobs):
    source, target = tmp_path / "messages.csv", tmp_path / "scored.csv"
    source.write_text("text\nhello\n")
    command = f'exec python src predict --input "$1" --output "$2" --jobs {jobs} {closed}'
    ran = finished.try_run("sh", "-c", command, "sh", str(source), str(target))
    assert ran.returncode == 0
    assert len(target.read_text().splitlines()) == 2
    assert "1 rows scored" in ran.stdout or "2>&-" in closed


def test_writes_no_result_into_the_log(finished, tmp_path):
    source = tmp_path / "messages.csv"
    source.write_text("text\nhello\n")
    command = 'exec python src predict --input "$1" --output - >&-'
    ran = finished.try_run("sh", "-c", command, "sh", str(source))
    assert ran.returncode == 1
    assert ran.stdout.endswith("standard output is closed: open it, or name a file with --output\n")
    assert "hello" not in (finished.path / "logs" / "pipeline.log").read_text()


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
    wait_for_output(target)
    process.send_signal(signal.SIGKILL)
    process.wait()
    # Whoever lives on holds standard error open; reading ends when nobody does.
    with os.fdopen(read_end, "rb") as errors:
        errors.read()
    assert target.read_text() == "old"


CSV_ROWS = ["id,text\n1,WIN a prize\n", '2,"home\n', 'for dinner"\n3,ok\n', "4,bye\n"]
TSV_ROWS = ["id\ttext\n1\tWIN a prize\n2\thome", " now\n3\tok\n", "4\tbye\n"]
JSON_ROWS = ['{"text": "one"}\n{"te', 'xt": "two"}\n{"text": "three"}\n', '{"text": "x"}\n']


@pytest.mark.parametrize(
    ("kind", "rows", "n_jobs"),
    [("csv", CSV_ROWS, 1), ("csv", CSV_ROWS, 2), ("tsv", TSV_ROWS, 1), ("jsonl", JSON_ROWS, 1)],
)
def test_answers_a_row_before_the_next_is_there(finished, kind, rows, n_jobs):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    arguments = ["--input", "-", "--output", "-", "--format", kind, "--jobs", n_jobs]
    process = start(finished, *arguments, **pipes)
    sent, n_answers = "", 0
    with ended_after(process, 300):
        for row in rows:
            process.stdin.write(row.encode())
            process.stdin.flush()
            sent += row
            # A record that is not complete yet is not to be answered.
            complete = sent[: sent.rfind('2,"')] if sent.endswith('"home\n') else sent
            for _ in range(complete.count("\n") - n_answers):
                assert process.stdout.readline()
                n_answers += 1
        process.stdin.close()
        assert process.stdout.read() == b""
        assert process.stderr.read().count(b"\n") == 2
        assert process.wait() == 0


def test_reads_gzip_from_a_pipe(finished):
    arguments = ["--input", "-", "--output", "-", "--format", "jsonl"]
    packed = gzip.compress(b'{"text": "home"}\n' * 5000)
    process = start(finished, *arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    out, _ = process.communicate(packed)
    assert process.returncode == 0
    assert out.count(b'{"text": "home", "label": "ham"') == 5000


def test_memory_does_not_grow_with_a_line(finished, tmp_path):
    peaks = []
    for n_megabytes in (0, 100):
        source = tmp_path / f"{n_megabytes}.jsonl.gz"
        with gzip.open(source, "wb", 1) as file:
            file.write(b'{"text": "a"}\n{"text": "')
            for _ in range(n_megabytes):
                file.write(b"x" * 1_000_000)
            file.write(b'"}\n{"text": "b"}\n')
        target = tmp_path / "scored.jsonl"
        arguments = ["--input", source, "--output", target, "--max-rejected", "1"]
        process = start(finished, *arguments)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        assert len(target.read_text().splitlines()) == 2
        peaks.append(usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6)
    assert peaks[1] - peaks[0] < 30


@pytest.mark.parametrize(("number", "n_jobs"), [(signal.SIGINT, 2), (signal.SIGTERM, 1)])
def test_a_signal_ends_it_in_one_line(finished, many, tmp_path, number, n_jobs):
    target = tmp_path / "scored.csv"
    target.write_text("old")
    arguments = ["--input", many, "--output", target, "--jobs", n_jobs]
    process = start(finished, *arguments, stderr=subprocess.PIPE, start_new_session=True)
    wait_for_output(target)
    # An interrupt from the keyboard goes to every process.
    os.killpg(process.pid, number)
    _, err = process.communicate()
    assert process.returncode == 128 + number
    assert len(err.splitlines()) == 1
    assert f"predict ERROR stopped by {number.name}" in err.decode()
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["scored.csv"]


def test_an_interrupt_while_processes_start_ends_it_in_one_line(finished, many, tmp_path):
    target = tmp_path / "scored.csv"
    arguments = ["--input", many, "--output", target, "--jobs", "2"]
    process = start(finished, *arguments, stderr=subprocess.PIPE, start_new_session=True)
    wait_for(lambda: list(tmp_path.iterdir()))
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert len(err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_while_it_imports_ends_it_in_one_line(finished):
    command = [sys.executable, "-X", "importtime", "src", "predict", "hello"]
    process = subprocess.Popen(
        command,
        cwd=finished.path,
        env=finished.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not process.stderr.readline().rstrip().endswith(" numpy"):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    told = [line for line in err.splitlines() if not line.startswith("import time:")]
    assert (process.returncode, told) == (130, ["interrupted"])


def test_a_run_after_a_killed_one_leaves_only_its_own_files(finished, many, tmp_path):
    source, target = tmp_path / "messages.csv", tmp_path / "scored.csv"
    source.write_text("text\nhello\n")
    process = start(finished, "--input", many, "--output", target, stderr=subprocess.DEVNULL)
    wait_for_output(target)
    process.kill()
    process.wait()
    assert {path.name for path in tmp_path.glob(".*")} == {
        ".scored.csv.tmp",
        ".scored.rejected.csv.tmp",
    }
    finished.run("python", "src", "predict", "--input", str(source), "--output", str(target))
    assert {path.name for path in tmp_path.iterdir()} == {
        "messages.csv",
        "scored.csv",
        "scored.rejected.csv",
    }


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_says_that_the_disk_of_standard_output_is_full(finished, many):
    with Path("/dev/full").open("wb") as full:
        process = start(
            finished, "--input", many, "--output", "-", stdout=full, stderr=subprocess.PIPE
        )
        _, err = process.communicate()
    assert process.returncode == 1
    assert b"No space left on device: 'standard output'" in err
    assert b"Traceback" not in err
    assert b"Exception ignored" not in err


def test_ends_in_one_sentence(finished):
    ran = finished.try_run("python", "src", "predict", "--input", "no.csv", "--output", "b.csv")
    assert ran.returncode == 1
    assert "no.csv does not exist" in ran.stdout
    assert "Traceback" not in ran.stdout
