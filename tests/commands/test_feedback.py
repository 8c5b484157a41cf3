"""Tests of reviewing and exporting users' corrections."""

import gzip
import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

import data_ingestion
import data_validation
from commands import feedback
from core.errors import UserError
from core.terminal import CLOSED_PIPE
from feedback.store import add_feedback, list_feedback, open_store

ROOT = Path(__file__).parents[2]


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/feedback.db"


@pytest.fixture
def store(url):
    return open_store(url)


@pytest.fixture
def add(store):
    """Return a function that adds a correction."""

    def call(text, label="ham", predicted="spam", model="sms-spam"):
        answer = {
            "predicted": predicted,
            "probability": 0.75 if isinstance(label, str) else None,
            "model_name": model,
            "model_version": "0123456789ab",
        }
        return add_feedback(store, inputs=text, answer=label, **answer)

    return call


@pytest.fixture
def run(url, capsys, monkeypatch):
    """Return a function that calls main and returns what it printed."""
    monkeypatch.setenv("COLUMNS", "160")

    def call(*arguments):
        feedback.main(["--url", url, *map(str, arguments)])
        return capsys.readouterr().out

    return call


def run_stages(params, source=None):
    """Run the first two stages; return the accepted rows. The source must not be changed."""
    folder = params.parent
    raw, additions = folder / "raw", ["--additions", str(folder / "additions")]
    origin = f"--origin={folder / 'raw.json'}"
    data_ingestion.main(["--params", str(params), "--output", str(raw), *additions, origin])
    assert source is None or raw.read_bytes() == source.read_bytes()
    paths = [f"--{name}={folder / name}" for name in ("output", "rejected", "report")]
    data_validation.main(["--params", str(params), "--input", str(raw), *additions, *paths])
    return pd.read_parquet(folder / "output")


@pytest.fixture
def export(run, params_file, tmp_path):
    """Return a function that accepts all there is and exports it; it returns the bytes."""

    def call(raw=None, accepts_all=True, changes=None, options=()):
        params = params_file(changes)
        output = tmp_path / "feedback" / "reviewed.tsv"
        if accepts_all:
            run("accept", "--up-to", 1000)
        files = ["--output", output, "--params", params, "--raw", raw or tmp_path / "raw"]
        run("export", *files, *options)
        return output.read_bytes()

    return call


CSV = {
    "data_validation.separator": ",",
    "data_validation.quoting": True,
    "data_validation.columns": None,
    "schema.text": ["body"],
    "schema.drop": ["id"],
}


def test_lists_what_was_said_and_what_was_predicted(run, add):
    add("call me")
    add("win cash", label="spam")
    lines = run("list").splitlines()
    assert re.fullmatch(
        r"1  \d{4}-\d\d-\d\d \d\d:\d\d  pending  ham, not spam \(0\.750000\)  "
        r"model sms-spam 0123456789ab",
        lines[0],
    )
    assert lines[1] == "    call me"
    assert "spam (0.750000) is right" in lines[2]


def test_lists_as_many_columns_of_a_row_as_fit(run, add, monkeypatch):
    row = {"carat": 0.1, "the cut": "Very Good", "sold": None, "n=1": 9007199254740993}
    add({**row, **{f"x{number}": number for number in range(20)}}, label=12.5, predicted=11)
    monkeypatch.setenv("COLUMNS", "80")
    head, shown = run("list").splitlines()
    assert "  pending  12.5, not 11  model sms-spam " in head
    assert shown == '    carat=0.1  "the cut"="Very Good"  sold=null  and 21 more columns'
    assert len(shown) <= 80
    monkeypatch.setenv("COLUMNS", "1000")
    assert '  "n=1"=9007199254740993  x0=0  ' in run("list")
    assert run("list").endswith("  x18=18  x19=19\n")
    monkeypatch.setenv("COLUMNS", "8")
    assert run("list").endswith("\n    24 more columns\n")


def test_a_long_or_hostile_value_of_a_row_is_cut_and_escaped(run, add):
    add({"\x1b[2J": "a\x9b1m\u202e  price=3", "long": "x" * 5000, "b": 1}, label=2, predicted=2)
    shown = run("list").splitlines()[1]
    assert shown.isprintable()
    assert shown.startswith(r"""    "\u001b[2J"="a\x9b1m\u202e  price=3"  long="xxx""")
    assert shown.endswith("x…  b=1")
    assert len(shown) < 160


def test_lists_reviews_and_exports_one_model(run, add, export, store):
    for name, text in (("other", "a"), ("sms-spam", "b"), (None, "c"), ("other", "d")):
        add(text, model=name)
    assert re.findall("^[0-9]", run("list", "--model", "other"), re.MULTILINE) == ["1", "3", "4"]
    run("accept", "--up-to", 3, "--model", "sms-spam")
    accepted = [found.inputs for found in list_feedback(store, "accepted")]
    assert accepted == ["b", "c"]
    assert export() == b"ham\tb\nham\tc\n"
    assert export(options=["--model", "other"]) == b"ham\ta\nham\tc\nham\td\n"
    with pytest.raises(UserError, match="--model does not go with numbers"):
        run("accept", 1, "--model", "other")


def test_lists_one_status(run, add):
    for text in ("a", "b", "c"):
        add(text)
    run("accept", 3, 1)
    run("refuse", 2)
    assert re.findall(r"^\d", run("list", "--status", "accepted"), re.MULTILINE) == ["1", "3"]
    assert re.findall(r"^\d", run("list", "--status", "refused"), re.MULTILINE) == ["2"]
    assert run("list", "--status", "pending") == "no corrections\n"


def test_control_characters_do_not_reach_the_terminal(run, add):
    add("£5 \x1b[2Jcleared\r\n\u202egone \x9b1m", label="h\x1bam", predicted="sp\x07am")
    shown = run("list")
    assert shown.replace("\n", "").isprintable()
    assert r"£5 \x1b[2Jcleared\r\n\u202egone \x9b1m" in shown
    assert shown.count("\n") == 2


def test_reviews_every_pending_one_up_to_a_number_and_no_other(run, add, store):
    for text in "abcd":
        add(text)
    run("refuse", 1)
    run("accept", "--up-to", 3)
    assert [found.status for found in list_feedback(store)] == [
        "refused",
        "accepted",
        "accepted",
        "pending",
    ]


def test_names_a_number_that_there_is_not(run, add, store):
    add("a")
    with pytest.raises(ValueError, match="no correction 2"):
        run("accept", 1, 2)
    assert [found.status for found in list_feedback(store)] == ["pending"]


@pytest.mark.parametrize(
    "arguments", [["accept"], ["refuse", "1", "--up-to", "2"], ["accept", "x"]]
)
def test_asks_which_corrections_to_review(run, store, arguments):  # noqa: ARG001
    with pytest.raises(SystemExit, match="2"):
        run(*arguments)


def test_takes_the_store_from_the_environment(url, add, monkeypatch, capsys):
    add("call me")
    monkeypatch.setenv("FEEDBACK_URL", url)
    feedback.main(["list"])
    assert "call me" in capsys.readouterr().out


def test_says_how_to_name_a_store(monkeypatch):
    monkeypatch.delenv("FEEDBACK_URL", raising=False)
    with pytest.raises(ValueError, match="set FEEDBACK_URL or --url, as in sqlite:///"):
        feedback.main(["list"])


def test_a_mistyped_store_is_not_made(tmp_path):
    with pytest.raises(UserError, match="no feedback was received yet, or its store is another"):
        feedback.main(["--url", f"sqlite:///{tmp_path}/typo/x.db", "list"])
    assert not (tmp_path / "typo").exists()


def test_exports_only_accepted_corrections(run, add, export):
    add("call me")
    add("win cash now", label="spam")
    add("never mind")
    add("not seen yet")
    run("accept", 2, 1)
    run("refuse", 3)
    assert export(accepts_all=False) == b"ham\tcall me\nspam\twin cash now\n"


def test_the_same_corrections_give_the_same_bytes_in_whatever_order_accepted(run, add, export):
    for text in "cabc":
        add(text)
    run("accept", 3, 1, 4)
    run("accept", 2)
    first = export(accepts_all=False)
    assert export(accepts_all=False) == first == b"ham\ta\nham\tb\nham\tc\n"


def test_says_so_when_nothing_is_accepted(add, export, tmp_path):
    add("hi")
    with pytest.raises(ValueError, match="nothing to export, 0 corrections are accepted: see"):
        export(accepts_all=False)
    assert not (tmp_path / "feedback").exists()


def test_prints_what_params_needs_and_the_stages_take_it(run, add, params_file, tmp_path):
    add('WIN, "win"\twin\n now', label="spam")
    run("accept", 1)
    source, output = tmp_path / "source.csv", tmp_path / "my: reviewed.csv"
    source.write_bytes(b"id,body,label\n1,hello,ham\n2,cash,spam")
    data = {**CSV, "data_validation.min_rows_per_label": 1, "data_validation.max_rejected_share": 0}
    data |= {"data_ingestion.sources": [str(source)]}
    data |= {"data_ingestion.sha256": hashlib.sha256(source.read_bytes()).hexdigest()}
    params = params_file(data)
    printed = run("export", "--output", output, "--params", params, "--raw", source)
    assert (
        f"reviewed.csv: 1 rows, SHA-256 {hashlib.sha256(output.read_bytes()).hexdigest()}"
        in printed
    )
    entry = yaml.safe_load(printed[printed.index("  additions:") :])
    params = params_file({**data, "data_ingestion.additions": entry["additions"]})

    accepted = run_stages(params, source)
    assert accepted["body"].tolist() == ["hello", "cash", 'WIN, "win" win now']
    assert accepted["row"].tolist() == [2, 3, 4]
    assert accepted["added"].tolist() == [False, False, True]


def test_the_stages_take_corrections_of_a_table_in_json_lines(run, add, params_file, tmp_path):
    add({"id": 9007199254740993, "carat": 0.1, "cut": None}, label=12, predicted=10.5, model="gems")
    add({"id": "7", "carat": 0.1, "cut": "Ideal\n"}, label=0.3, predicted=1, model="gems")
    run("accept", "--up-to", 2)
    source = tmp_path / "source.jsonl"
    lines = [{"id": 1, "carat": n, "cut": "Fair", "price": n % 7, "tags": [1]} for n in range(200)]
    source.write_bytes(gzip.compress("\n".join(map(json.dumps, lines)).encode()))
    data = {
        "model.name": "gems",
        "schema.task": "regression",
        "schema.target": "price",
        "schema.labels": [],
        "schema.text": [],
        "schema.number": ["carat"],
        "schema.category": ["cut"],
        "schema.id": ["id"],
        "schema.drop": ["tags"],
        "data_validation.format": "jsonl",
        "data_validation.columns": None,
        "data_validation.max_rejected_share": 0,
        "data_ingestion.sources": [str(source)],
        "data_ingestion.sha256": None,
    }
    files = ["--output", tmp_path / "reviewed.jsonl", "--raw", source]
    printed = run("export", *files, "--params", params_file(data))
    entry = yaml.safe_load(printed[printed.index("  additions:") :])
    accepted = run_stages(params_file(data | {"data_ingestion.additions": entry["additions"]}))
    added = accepted[accepted["added"]]
    assert added["price"].tolist() == [12, 0.3]
    assert added["id"].tolist() == ["9007199254740993", "7"]
    assert added["carat"].tolist() == [0.1, 0.1]
    assert added["cut"].fillna("none").tolist() == ["none", "Ideal"]


def test_runs_as_a_program_whose_reader_may_stop_reading(url, add):
    add("call me")
    command = [sys.executable, str(ROOT / "src"), "feedback", "--url", url, "list"]
    reading, writing = os.pipe()
    os.close(reading)
    ran = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert ran.returncode == CLOSED_PIPE
    assert ran.stderr == ""
