"""Tests of reading the raw data in each format."""

import datetime
import gzip
import importlib.util
import json
import sys

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import UserError
from core.params import read_params
from records import delimited
from records.additions import FIRST_LINE
from records.fast_splitting import split_plain
from records.reading import read_raw
from records.schema import Schema
from records.validation_params import ValidationParams

NEEDS_OPENPYXL = pytest.mark.skipif(
    importlib.util.find_spec("openpyxl") is None, reason="openpyxl is not installed"
)
SCHEMA = {"schema.text": ["text"], "schema.id": ["n"]}


@pytest.fixture
def read(params_file, tmp_path):
    """Return a function that reads a source of the columns label, text and n."""

    def call(raw, additions=b"", **changes):
        changes = {"separator": ",", "quoting": True, "columns": [], **changes}
        path = params_file(
            SCHEMA | {f"data_validation.{key}": value for key, value in changes.items()}
        )
        (tmp_path / "source").write_bytes(raw)
        (tmp_path / "additions").write_bytes(FIRST_LINE + additions)
        return read_raw(
            tmp_path / "source",
            tmp_path / "additions",
            read_params(path, "schema", Schema),
            read_params(path, "data_validation", ValidationParams),
        )

    return call


def list_rows(table):
    """Return the rows with their numbers, missing values as None."""
    columns = table.columns[["label", "text", "n"]].astype("object")
    values = columns.where(columns.notna(), None).to_numpy().tolist()
    return [(row, *fields) for row, fields in zip(table.rows.tolist(), values, strict=True)]


CSV = b'label,text,n\nham,"a, b",1\nspam,win,02\n'


def test_reads_delimited_text_and_keeps_it_as_text(read):
    table = read(CSV, b"ham,c,3\n,\n")
    assert list_rows(table) == [
        (2, "ham", "a, b", "1"),
        (3, "spam", "win", "02"),
        (4, "ham", "c", "3"),
    ]
    assert table.is_added.tolist() == [False, False, True]
    assert table.unread == [(5, "wrong number of fields", "2, expected 3", ",")]
    assert [table.show(place) for place in range(3)] == ['ham,"a, b",1', "spam,win,02", "ham,c,3"]


def write_parquet(**columns):
    return pd.DataFrame(columns).to_parquet(index=False)


LINES = b'{"label": "ham", "text": "hi", "n": 1}\n{"n": "02", "label": "spam"}\n'


@pytest.mark.parametrize(
    ("raw", "changes"),
    [
        (CSV, {}),
        (LINES, {"format": "jsonl"}),
        (write_parquet(label=["ham"], text=["hi"], n=[1]), {"format": "parquet"}),
    ],
    ids=["delimited", "jsonl", "parquet"],
)
def test_each_format_may_be_compressed_and_additions_too(read, raw, changes):
    plain = read(raw, **changes)
    packed = read(gzip.compress(raw), **changes)
    assert list_rows(packed) == list_rows(plain)
    if not changes:
        assert list_rows(read(raw, gzip.compress(b"ham,c,3\n")))[-1] == (4, "ham", "c", "3")


@pytest.mark.parametrize(
    "damage",
    [lambda raw: raw[:-9], lambda raw: raw[:20] + b"xx" + raw[22:], lambda raw: raw[:12]],
    ids=["cut", "changed", "short"],
)
def test_refuses_a_damaged_gzip_file(read, damage):
    with pytest.raises(UserError, match=r"source: the file is a damaged or incomplete gzip file"):
        read(damage(gzip.compress(CSV * 20)))


def test_reads_json_lines(read):
    table = read(LINES + b'\n{"label": true, "text": null, "n": 1.5}\r\n', format="jsonl")
    assert list_rows(table) == [
        (1, "ham", "hi", 1),
        (2, "spam", None, "02"),
        (4, True, None, 1.5),
    ]
    assert table.unread == [(3, "empty line", "", "")]
    assert table.show(1) == '{"n": "02", "label": "spam"}'


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"label": "ham"', "malformed JSON"),
        (b'{"label": NaN}', "malformed JSON"),
        (b"[" * 100_000, "malformed JSON"),
        (b'["ham"]', "not a JSON object"),
        (b'{"label": "\\ud800"}', "not valid Unicode"),
        (b'{"label": "caf\xe9"}', "undecodable bytes"),
        (b'{"label": "' + b"x" * 1_000_000 + b'"}', "line too long"),
    ],
)
def test_rejects_a_line_that_is_no_object(read, line, reason):
    table = read(LINES + line + b"\n" + LINES, LINES + b"{}\n", format="jsonl")
    assert [each[:2] for each in table.unread] == [(3, reason)]
    assert table.rows.tolist() == [1, 2, 4, 5, 6, 7, 8]


def test_an_added_object_may_not_have_other_keys(read):
    table = read(LINES, b'{"label": "ham", "size": 1}\n', format="jsonl")
    assert table.unread[0][:3] == (3, "unknown key", "'size'")


@pytest.mark.parametrize("raw", [b'[{"label": "ham"}]\n', b"[\n{}\n]"])
def test_refuses_a_json_array(read, raw):
    with pytest.raises(UserError, match="a JSON array, not JSON lines: write one object per line"):
        read(raw, format="jsonl")


def test_refuses_a_file_without_any_object(read):
    with pytest.raises(UserError, match="no line is a valid object, the first one is: malformed"):
        read(CSV, format="jsonl")


def test_parquet_keeps_its_types(read):
    days = pd.to_datetime(["2020-04-03", None])
    table = read(
        write_parquet(label=pd.Categorical(["ham", "spam"]), text=["a", None], n=days),
        write_parquet(label=["ham"], text=["b"], n=days[:1]),
        format="parquet",
    )
    assert table.columns["label"].tolist() == ["ham", "spam", "ham"]
    assert str(table.columns["n"].dtype).startswith("timestamp")
    assert table.rows.tolist() == [1, 2, 3]
    assert json.loads(table.show(1)) == {"label": "spam", "text": None, "n": None}


@pytest.mark.parametrize("raw", [b"label,text,n\n", b"PAR1xxxxPAR1"])
def test_refuses_what_is_not_parquet(read, raw):
    with pytest.raises(UserError, match=r"source: the file is not readable as Parquet \("):
        read(raw, format="parquet")


def test_says_how_to_read_excel(read, monkeypatch):
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(UserError, match="needs the package openpyxl, which is not installed: run"):
        read(b"PK\x03\x04", format="excel")


def write_excel(rows, path):
    import openpyxl

    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path.read_bytes()


@NEEDS_OPENPYXL
def test_reads_the_first_sheet_of_a_workbook(read, tmp_path):
    day = datetime.datetime(2020, 4, 3)  # noqa: DTZ001 (Excel has no time zones)
    rows = [
        ["label", "text", "n"],
        ["ham", "hi", 1],
        [],
        ["spam", None, day],
        ["ham", "x", 1.5, "more"],
        ["ham", "007"],
        [None, None],
    ]
    table = read(write_excel(rows, tmp_path / "book.xlsx"), format="excel")
    assert list_rows(table) == [
        (2, "ham", "hi", 1),
        (4, "spam", None, day),
        (6, "ham", "007", None),
    ]
    assert [each[:3] for each in table.unread] == [
        (3, "empty row", ""),
        (5, "wrong number of fields", "4, expected 3"),
    ]


@NEEDS_OPENPYXL
@pytest.mark.parametrize("raw", [b"label,text\n", b"PK\x03\x04" + bytes(100)])
def test_refuses_what_is_not_a_workbook(read, raw):
    with pytest.raises(UserError, match="not readable as an Excel workbook"):
        read(raw, format="excel")


FIELDS = st.text(st.sampled_from('ab ,;"\t\r\x0b\x85é£'), max_size=6)
RECORDS = st.lists(st.lists(FIELDS, min_size=2, max_size=3), min_size=1, max_size=6)


@given(
    records=RECORDS,
    quotes=st.booleans(),
    quoting=st.booleans(),
    end=st.sampled_from(["\n", "\r\n"]),
    is_ended=st.booleans(),
    columns=st.sampled_from([[], ["label", "text", "n"]]),
    mark=st.sampled_from([b"", b"\xef\xbb\xbf"]),
)
@settings(
    deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_large_files_are_split_as_small_ones(
    params_file, records, quotes, quoting, end, is_ended, columns, mark
):
    changes = {"separator": ",", "quoting": quoting, "columns": columns}
    path = params_file(SCHEMA | {f"data_validation.{key}": value for key, value in changes.items()})
    params = read_params(path, "data_validation", ValidationParams)
    schema = read_params(path, "schema", Schema)
    quote = '"' if quotes else ""
    lines = [",".join(f"{quote}{field}{quote}" for field in record) for record in records]
    raw = mark + (end.join(["label,text,n", *lines]) + (end if is_ended else "")).encode()
    fast = split_plain(raw, columns or None, params)
    if fast is None:
        return
    exact = delimited.read_delimited(raw, columns or None, schema, params)
    assert fast.columns.equals(exact.columns)
    assert fast.rows.tolist() == exact.rows.tolist()
    assert exact.unread == []
    assert fast.last == exact.last
    places = range(len(fast.rows))
    assert [fast.show(place) for place in places] == [exact.show(place) for place in places]


@pytest.mark.parametrize(
    ("line", "quoting", "is_plain"),
    [
        (b"ham,a,1", True, True),
        (b'ham,"a, b",1', True, True),
        (b'ham,"",1', True, True),
        (b'ham,"a",1', False, True),
        (b'ham,"a ""b""",1', True, False),
        (b'ham,"a\nb",1', True, False),
        (b'ham,a"b,1', True, False),
        (b'ham,"a"b,1', True, False),
        (b"ham,a\rb,1", True, False),
        (b"ham,a\0b,1", True, False),
        (b"ham,caf\xe9,1", True, False),
        (b"ham,a", True, False),
        (b"\xef\xbb\xbfham,a,1", True, False),
        (b"", True, False),
        (b"ham," + b"x" * 1_000_000 + b",1", True, False),
    ],
)
def test_only_text_without_difficulties_is_split_by_arrow(params_file, line, quoting, is_plain):
    changes = {"separator": ",", "quoting": quoting, "columns": []}
    path = params_file({f"data_validation.{key}": value for key, value in changes.items()})
    params = read_params(path, "data_validation", ValidationParams)
    table = split_plain(b"label,text,n\n" + line + b"\nspam,b,2\n", None, params)
    assert (table is not None) == is_plain


def test_a_large_file_gives_the_same_rows_as_a_small_one(read, monkeypatch):
    raw = CSV + b"ham,x,3\r\nspam,y,4"
    small = read(raw, b"ham,c,3\n")
    monkeypatch.setattr(delimited, "FAST_BYTES", 0)
    large = read(raw, b"ham,c,3\n")
    assert list_rows(large) == list_rows(small)
    assert len(large.rows) == 5
