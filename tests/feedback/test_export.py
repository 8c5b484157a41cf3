"""Tests of exporting corrections as rows of the source."""

from datetime import UTC, datetime

import pytest

from core.errors import UserError
from core.params import read_params
from feedback.export import render_corrections
from feedback.source import Source, read_source
from feedback.store import Correction
from records.schema import Schema
from records.validation_params import ValidationParams
from tests.support.schemas import MESSAGES

CSV = {
    "data_validation.separator": ",",
    "data_validation.quoting": True,
    "data_validation.columns": None,
    "schema.text": ["body"],
    "schema.drop": ["id", "sent\nat"],
}


@pytest.fixture
def corrections():
    return []


@pytest.fixture
def add(corrections):
    """Return a function that adds an accepted correction."""

    def call(text, label="ham"):
        now = datetime.now(UTC)
        number = len(corrections) + 1
        corrections.append(
            Correction(
                number, now, text, label, "spam", 0.75, "sms-spam", "0123456789ab", "accepted", now
            )
        )

    return call


@pytest.fixture
def export(corrections, params_file, tmp_path):
    """Return a function that exports what was added; it returns the bytes."""

    def call(raw=None, changes=None):
        path = params_file(changes)
        schema = read_params(path, "schema", Schema)
        params = read_params(path, "data_validation", ValidationParams)
        source = read_source(raw or tmp_path / "raw", schema, params)
        return render_corrections(corrections, source)[0]

    return call


def test_white_space_of_a_text_becomes_blanks(add, export):
    add(' say\t"hi"\r\nto\u2028mum \x85 ')
    assert export() == b'ham\tsay "hi" to mum\n'


def test_the_newest_correction_of_a_text_wins(add, export):
    add("call  me", label="ham")
    add("win", label="spam")
    add("Call me", label="spam")
    add("ｃall\nme", label="spam")
    assert export() == "spam\twin\nspam\tCall me\nspam\tｃall me\n".encode()


def test_puts_the_fields_where_the_header_of_the_source_has_them(add, export, tmp_path):
    add('say "hi", mum;\nbye')
    add("win", label="spam")
    raw = tmp_path / "raw.csv"
    raw.write_bytes(b'\xef\xbb\xbfid,body,"sent\nat",label\n1,hello,now,ham\n')
    assert export(raw, CSV) == b',"say ""hi"", mum; bye",,ham\n,win,,spam\n'


def test_puts_the_fields_where_the_parameters_have_them(add, export):
    add("hi | mum")
    add("hi mum")
    changes = {
        "data_validation.columns": ["text", "id", "label"],
        "data_validation.separator": "|",
        "schema.drop": ["id"],
    }
    assert export(changes=changes) == b"hi mum||ham\n"


def test_needs_the_source_if_it_has_a_header(add, export, tmp_path):
    add("hi")
    with pytest.raises(
        UserError, match=r"nowhere, which names the columns, does not exist: .* --raw"
    ):
        export(tmp_path / "nowhere", CSV)
    (tmp_path / "raw").write_bytes(b"id,text,label\n")
    with pytest.raises(ValueError, match=r"raw: it has no column 'body'"):
        export(changes=CSV)
    (tmp_path / "raw").write_bytes(b"")
    with pytest.raises(ValueError, match="raw: the file is empty"):
        export(changes=CSV)


@pytest.mark.parametrize(
    ("text", "label", "changes", "reason"),
    [
        ("x" * 2001, "ham", {}, "text too long 2001 characters"),
        ("hi", "eggs", {}, "unknown label 'eggs'"),
        ("a,b", "ham", {"data_validation.separator": ","}, "wrong number of fields 3"),
        ("5 €", "ham", {"data_validation.encoding": "latin-1"}, "not in iso8859-1"),
        (
            "hi",
            "ham\tham",
            {"schema.labels": ["ham\tham", "spam"]},
            "wrong number",
        ),
        (
            "hi",
            "spam\nx",
            {"schema.labels": ["spam\nx", "spam"], "data_validation.columns": ["text", "label"]},
            "wrong number of fields 1, expected 2",
        ),
    ],
)
def test_what_validation_would_reject_is_left_out_and_named(
    add, export, caplog, text, label, changes, reason
):
    add(text, label)
    with pytest.raises(ValueError, match="nothing to export, 1 corrections are accepted"):
        export(changes=changes)
    assert f"correction 1 left out: {reason}" in caplog.text
    add("good one", label="spam")
    assert b"good one" in export(changes=changes)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "cp037"])
def test_refuses_an_encoding_to_which_nothing_can_be_appended(add, export, encoding):
    add("hi")
    with pytest.raises(
        ValueError, match=r"in .*\(data_validation\.encoding\): convert it to utf-8"
    ):
        export(changes={"data_validation.encoding": encoding})


@pytest.mark.parametrize(
    ("encoding", "content"), [("utf-8-sig", b"ham\t5 \xc2\xa3\n"), ("latin-1", b"ham\t5 \xa3\n")]
)
def test_writes_the_encoding_of_the_source_without_a_mark(add, export, encoding, content):
    add("5 £")
    assert export(changes={"data_validation.encoding": encoding}) == content


def test_counts_the_rows(add, corrections, params_file):
    for text in ("a", "b", "a"):
        add(text)
    params = read_params(params_file(), "data_validation", ValidationParams)
    _, n_rows = render_corrections(corrections, Source(["label", "text"], MESSAGES, params))
    assert n_rows == 2
