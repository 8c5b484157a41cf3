"""Tests of the table that the terminal shows, and of the generated blocks of documents."""

import json
from pathlib import Path

import pytest
import yaml

from commands import summary
from core.errors import UserError
from evaluation.result_tables import format_number, read_report, tabulate_examples
from tests.support.schemas import make_schema

PIPELINE = """
stages:
  fetch: {desc: Yes, deps: [src/a.py], outs: [{data: {desc: raw}}]}
  count: {desc: Count it, deps: [data, src/b.py], metrics: [no]}
"""
PARAMS = """
a:
  # why
  b: 1  # what

ab:
  c: 2

model:
  name: sms-spam
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Work in a folder with results."""
    cv = {"roc_auc": 0.75, "roc_auc_std": 0.01}
    metrics = {"cv": cv, "test": {"roc_auc": 0.5}, "train": {"roc_auc": 1.0}, "baseline": {}}
    intervals = {"test": {"roc_auc": {"low": 0.25, "high": 0.75}}}
    (tmp_path / "reports").mkdir()
    for name, content in (("metrics", metrics), ("intervals", intervals)):
        (tmp_path / "reports" / f"{name}.json").write_text(json.dumps(content))
    (tmp_path / "dvc.yaml").write_text(PIPELINE)
    (tmp_path / "params.yaml").write_text(PARAMS)
    monkeypatch.chdir(tmp_path)


def update(text: str) -> str:
    """Return what is made of a document."""
    path = Path("README.md")
    path.write_text(text)
    summary.main(["--update", str(path)])
    return path.read_text()


def test_prints_metrics_and_where_the_report_is(capsys):
    summary.main([])
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == "| roc auc | 0.5000 | 0.2500 to 0.7500 |          | 1.0000   |"
    assert lines[4] == "Cross-validation on the training set: roc auc 0.7500 ± 0.0100."
    assert lines[-1] == "Report with plots and errors: reports/report.html"


def test_brings_the_blocks_of_a_document_up_to_date():
    names = ("results", "stages", "graph")
    blocks = [f"<!-- {name} -->\nold\n<!-- /{name} -->\n" for name in names]
    text = update("\n".join(["before", *blocks, "after"]))
    assert "old" not in text
    assert text.startswith("before")
    assert text.endswith("after")
    assert "    fetch --> count\n" in text
    assert "| roc auc |" in text
    assert update(text) == text


def test_reads_yaml_1_2_as_dvc_does():
    text = update("<!-- stages -->\n<!-- /stages -->")
    assert "| `fetch` | Yes          | `data`        |" in text
    assert "| `count` | Count it     | `no`          |" in text


def test_a_block_in_yaml_is_a_comment():
    text = update("---\n# <!-- graph -->\n# <!-- /graph -->\n---\n")
    assert text.startswith("---\n# <!-- graph -->\n```mermaid")
    assert text.endswith("```\n# <!-- /graph -->\n---\n")


def test_quotes_a_section_of_the_parameters_with_its_comments():
    assert summary.quote_params("a") == "```yaml\na:\n  # why\n  b: 1  # what\n```"
    assert summary.quote_params("ab") == "```yaml\nab:\n  c: 2\n```"


def test_runs_the_commands_of_a_block_and_writes_what_they_print():
    text = update(
        "<!-- output -->\n```console\n$ echo one\nold\n$ printf 'two %s' \\\n    three\n```\n"
        "<!-- /output -->\n"
    )
    assert "$ echo one\none\n$ printf 'two %s' \\\n    three\ntwo three\n```\n" in text
    assert "old" not in text
    assert update(text) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "<!-- reslts -->\n<!-- /reslts -->",
            "README.md: there is no block 'reslts', only results",
        ),
        (
            "<!-- results -->\nno end",
            "README.md: the comment <!-- results --> is not one of a pair",
        ),
        ("<!-- output -->\n$ false\n<!-- /output -->", "README.md: 'false' failed"),
    ],
)
def test_an_error_names_the_document_and_leaves_it(text, message):
    with pytest.raises(ValueError, match=message):
        update(text)
    assert Path("README.md").read_text() == text


def test_a_report_with_the_marks_of_a_merge_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("reports").mkdir(exist_ok=True)
    Path("reports/metrics.json").write_text("<<<<<<< HEAD\n")
    with pytest.raises(UserError, match=r"reports/metrics\.json is not JSON .*: run 'make repro'"):
        read_report("metrics")


def test_tabulates_the_examples_by_their_task(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = Path("examples", "prices")
    folder.mkdir(parents=True)
    schema = make_schema(task="regression", target="price", labels=[], number=["carat"])
    (folder / "params.yaml").write_text(yaml.safe_dump({"schema": schema.model_dump()}))
    found = {"mae": 276.125, "r2": 0.9812345}
    metrics = {"cv": {"r2": 0.98, "r2_std": 0.001}, "test": found, "baseline": found}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in tabulate_examples().splitlines()[2:]
    ]
    assert [row[:5] for row in rows] == [["prices", "regression", "mae", "276.1", "276.1"]]


def test_documents_of_another_model_stay_as_they_are(capsys):
    Path("params.yaml").write_text("model:\n  name: iris\n")
    text = "<!-- results -->\nof messages\n<!-- /results -->\n"
    assert update(text) == text
    assert "README.md is about model sms-spam, not iris: it stays" in capsys.readouterr().out


def test_says_which_cards_are_of_another_model(capsys):
    Path("models").mkdir()
    card = Path("models/README.md")
    for name, is_other in (("sms-spam", False), ("iris", True)):
        card.write_text(f"---\nmodel_name: {name}\n---\n")
        summary.main([])
        said = "Not of model sms-spam: models/README.md; make readme writes new cards"
        assert (said in capsys.readouterr().out) == is_other


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("r2", -0.00001, "0.0000"),
        ("mae", 12345.6, "12,346"),
        ("mae", None, ""),
        ("mcc", 0.5, "0.5000"),
    ],
)
def test_shows_metrics_in_units_as_people_write_numbers(name, value, shown):
    assert format_number(name, value) == shown
