"""Tests of comparing files with the test set."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from commands import drift
from core.errors import UserError
from core.params import read_params
from evaluation.scores import EvaluationParams, Scored
from evaluation.tasks import EVALUATIONS
from models.description import read_description
from models.predictions import PREDICTIONS
from models.store import load_model, read_digest, save_model
from monitoring.reference import build_reference, read_reference, write_reference
from tests.support.built_table import TASKS, make_source
from tests.support.schemas import MESSAGES
from tests.support.small_model import HAM, ROOT, SPAM, fit_model

HEADER = "note;group;price;size;sold"


def make_messages(n_rows, spam=0.3, seed=0):
    """Return messages with their labels."""
    rng = np.random.default_rng(seed)
    labels = np.where(rng.random(n_rows) < spam, "spam", "ham")
    texts = [
        " ".join(rng.choice({"ham": HAM, "spam": SPAM}[label], rng.integers(1, 3)))
        for label in labels
    ]
    return pd.DataFrame({"text": texts, "label": labels})


@pytest.fixture(scope="module")
def messages(tmp_path_factory):
    """Return a folder with a model of messages and its reference."""
    folder = tmp_path_factory.mktemp("messages")
    path = folder / "models/model.skops"
    save_model(fit_model(), path)
    model = load_model(path)
    test = make_messages(300)
    test["label"] = pd.Categorical(test["label"], MESSAGES.classes)
    found = PREDICTIONS["binary"].score(model, MESSAGES.classes, test["text"].tolist())
    scored = Scored(test, MESSAGES.classes, (test["label"] == "spam").to_numpy(), found)
    params = read_params(ROOT / "params.yaml", "model_evaluation", EvaluationParams)
    description = read_description(model, path)
    train = pd.DataFrame({"text": HAM + SPAM})
    metrics = {"accuracy": 0.9, "mcc": 0.8}
    task = EVALUATIONS["binary"]
    reference = build_reference(
        model, description, read_digest(path), train, scored, task, metrics, params
    )
    write_reference(reference, folder / "models/reference.parquet")
    (folder / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    return folder


@pytest.fixture
def run(messages, tmp_path, monkeypatch):
    """Return a function that runs the command on rows or a file, and returns its report."""
    report, page = tmp_path / "drift.json", tmp_path / "drift.html"

    def call(source, *arguments, folder=messages, kind="csv", status=0, separator=","):
        monkeypatch.chdir(folder)
        if isinstance(source, pd.DataFrame):
            source = write_rows(source, tmp_path / f"rows.{kind}", kind, separator)
        argv = [f"--input={source}", f"--report={report}", f"--page={page}", *arguments]
        found = 0
        try:
            drift.main(argv)
        except SystemExit as stop:
            found = stop.code
        assert found == status
        return json.loads(report.read_text())

    return call


def write_rows(df, path, kind, separator=","):
    if kind == "csv":
        df.to_csv(path, index=False, sep=separator)
    elif kind == "jsonl":
        df.to_json(path, orient="records", lines=True)
    else:
        df.to_parquet(path, index=False)
    return path


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_the_same_kind_of_messages_has_not_drifted(run, tmp_path, capsys, kind):
    found = run(make_messages(300, seed=1), kind=kind)
    assert not found["is_drift"]
    assert (found["rows"], found["reference_rows"]) == (300, 300)
    assert len(found["tests"]) == 5
    assert found["measured"]["rows"] == 300
    shown = capsys.readouterr().out
    assert shown.startswith("**No drift in 300 messages**\n\n300 messages compared with 300 of ")
    assert "valid if inputs did not drift" in shown
    assert "Measured on 300 messages with labels, with 95% intervals." in shown
    page = (tmp_path / "drift.html").read_text()
    assert page.count('src="data:image/png;base64,') == 5
    assert not re.search(r"(?:src|href)=\"?https?:", page)


def test_more_spam_is_drift_of_the_prediction(run, capsys):
    found = run(make_messages(300, spam=0.8, seed=1), status=3)
    assert found["is_drift"]
    assert "predicted: spam" in {each["signal"] for each in found["tests"] if each["is_drift"]}
    assert found["expected"]["shares"]["spam"] > 0.6
    assert capsys.readouterr().out.startswith("**Drift in ")


def test_another_language_is_drift_of_the_inputs(run, capsys):
    df = make_messages(300, seed=1)
    df.loc[::5, "text"] = "Wir sehen uns später, schöne Grüße an alle zu Hause"
    found = run(df, status=3)
    drifted = {each["signal"] for each in found["tests"] if each["is_drift"]}
    assert {"text: unseen trigrams", "text: non-ASCII"} <= drifted
    assert "valid if inputs did not drift. They did: text: " in capsys.readouterr().out


def test_without_labels_nothing_is_measured(run, tmp_path):
    found = run(make_messages(200, seed=1)[["text"]])
    assert "measured" not in found
    assert set(found["expected"]) == {"note", "shares", "metrics"}
    assert "Nothing measured: no row has a label." in (tmp_path / "drift.html").read_text()


def test_labels_may_be_missing_or_unknown(run):
    df = make_messages(300, seed=1)
    df.loc[:99, "label"] = ""
    df.loc[100:149, "label"] = "other"
    assert run(df)["measured"]["rows"] == 150


def test_a_signal_can_be_ignored(run):
    df = make_messages(300, spam=0.8, seed=1)
    names = [each["signal"] for each in run(df, status=3)["tests"]]
    assert (
        run(df, *(f"--ignore={name}" for name in names[:-1]), status=3)["tests"][0]["signal"]
        == (names[-1])
    )
    with pytest.raises(UserError, match="there is no signal 'x': choose from text: length, "):
        run(df, "--ignore=x")


def test_a_pipe_needs_a_format(run):
    with pytest.raises(UserError, match="a pipe has no name: give the format"):
        run("-")


def test_the_same_file_gives_the_same_report_and_page(run, tmp_path):
    df, contents = make_messages(200, seed=1), []
    for _ in range(2):
        run(df)
        contents.append([(tmp_path / name).read_bytes() for name in ("drift.json", "drift.html")])
    assert contents[0] == contents[1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("text\nhello\n", "1 rows are too few to see drift in them: collect 100 or more"),
        ("text\n", "has no row that can be scored$"),
        ('text\n""\n" "\n', "has no row that can be scored: 2 rejected, most often for empty "),
        ("", "does not start with a header"),
        ("label\n" + "ham\n" * 200, "has no column 'text', only label"),
        ("text\n" + '""\n' * 20 + "hi\n" * 200, "20 of 220 rows of .* rejected, more than 1.0%"),
    ],
)
def test_files_that_cannot_be_compared(run, tmp_path, text, message):
    (tmp_path / "rows.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        run(tmp_path / "rows.csv")


def test_a_file_that_does_not_exist(run, tmp_path):
    with pytest.raises(UserError, match=r"x\.csv does not exist"):
        run(tmp_path / "x.csv")


def test_a_model_without_reference(run, tmp_path):
    with pytest.raises(UserError, match=r"none\.parquet does not exist: there is nothing to comp"):
        run(make_messages(200), f"--reference={tmp_path / 'none.parquet'}")


@pytest.mark.parametrize("content", [b"", b"no Parquet", "rows"])
def test_another_file_as_reference(run, tmp_path, content):
    path = tmp_path / "other.parquet"
    if content == "rows":
        make_messages(5).to_parquet(path)
    else:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"other\.parquet is not a reference of a model: run 'dvc"):
        run(make_messages(200), f"--reference={path}")


def test_the_reference_of_another_model(run, messages, tmp_path):
    save_model(fit_model(statistics=False), tmp_path / "model.skops")
    path = messages / "models/reference.parquet"
    with pytest.raises(UserError, match=r"is the reference of model \w{12}, but \S+ is model "):
        run(make_messages(200), f"--reference={path}", f"--model={tmp_path / 'model.skops'}")


def test_references_hold_no_text_and_are_equal_for_equal_models(messages, tmp_path):
    path = messages / "models/reference.parquet"
    reference = read_reference(path, path, read_digest(messages / "models/model.skops"))
    assert all(dtype.kind in "fb" for dtype in reference.rows.dtypes)
    write_reference(reference, tmp_path / "again.parquet")
    assert (tmp_path / "again.parquet").read_bytes() == path.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("task", TASKS)
def test_tables_of_each_task(run, built, capsys, task, kind):
    df = make_source(task)
    found = run(df, folder=built(task), kind=kind, separator=";")
    assert not found["is_drift"]
    assert found["measured"]["rows"] == 300
    assert ("expected" in found) == (task != "regression")
    shown = capsys.readouterr().out
    assert ("nothing can be said about the errors" in shown) == (task == "regression")
    names = {each["signal"] for each in found["tests"]}
    assert {"group", "price", "size", "sold", "note: length"} <= names


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_drift_of_a_table(run, built, tmp_path, task):
    df = make_source(task).drop(columns="target")
    df["price"] = ["1" + each if each != "?" else each for each in df["price"]]
    df.loc[:50, "group"] = "violet"
    found = run(df, folder=built(task), separator=";", status=3)
    drifted = {(each["signal"], each["what"]) for each in found["tests"] if each["is_drift"]}
    assert {("price", "outside the training range"), ("group", "never seen")} <= drifted
    assert "Plot: group of the test set and of new data" in (tmp_path / "drift.html").read_text()


@pytest.mark.slow
def test_a_table_has_no_text_column(run, built):
    with pytest.raises(UserError, match="--text-column is for messages alone: leave it out"):
        run(make_source("binary"), "--text-column=note", folder=built("binary"), separator=";")


@pytest.mark.slow
def test_infinite_numbers_are_rejected(run, built):
    df = make_source("regression")
    df.loc[0, "price"] = "inf"
    found = run(df, folder=built("regression"), separator=";")
    assert found["rejected"] == {"infinite number": 1}
    df["price"] = "1e999"
    with pytest.raises(UserError, match="has no row that can be scored: 300 rejected, most often "):
        run(df, folder=built("regression"), separator=";")


@pytest.mark.slow
def test_a_table_of_missing_values(run, built):
    df = make_source("regression").assign(group="?", price="?", size="?", sold="?")
    found = run(df, folder=built("regression"), separator=";", status=3)
    drifted = {(each["signal"], each["what"]) for each in found["tests"] if each["is_drift"]}
    assert {(name, "missing") for name in ("group", "price", "size", "sold")} <= drifted
