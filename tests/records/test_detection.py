"""Tests of finding out how a file is written."""

import gzip
import io

import pandas as pd
import pytest

from core.errors import UserError
from records.detection import detect

CSV = 'name,price\n"a, b",1\n"say ""hi""",2\nplain,\n'


def read(text, target="price", **options):
    return detect(text.encode() if isinstance(text, str) else text, target, **options)


def test_reads_csv_with_quotes_and_empty_values():
    found = read(CSV)
    assert (found.layout.format, found.layout.separator) == ("delimited", ",")
    assert found.layout.quoting
    assert found.layout.columns is None
    assert found.table["name"].tolist() == ["a, b", 'say "hi"', "plain"]
    assert found.table["price"].isna().tolist() == [False, False, True]


@pytest.mark.parametrize("separator", [",", "\t", ";", "|"])
def test_finds_the_separator(separator):
    found = read("\n".join(separator.join(row) for row in ("xy", "12", "34", "56")), "y")
    assert found.layout.separator == separator
    assert found.table.to_dict("list") == {"x": ["1", "3", "5"], "y": ["2", "4", "6"]}


def test_a_separator_that_occurs_in_texts_is_not_the_separator():
    rows = "label;text\nspam;win, win, win\nham;well, hi\nham;ok\n"
    assert read(rows, "label").layout.separator == ";"


def test_quotes_within_tsv_that_do_not_close_have_no_meaning():
    found = read('label\ttext\nham\t"so he said\nspam\twin "now\nham\thi\n', "label")
    assert not found.layout.quoting
    assert found.table["text"].tolist() == ['"so he said', 'win "now', "hi"]
    assert found.n_malformed == 0


def test_records_with_another_number_of_fields_are_counted():
    found = read("x,y\n1,2\n3\n4,5\n6,7\n", "y")
    assert found.n_malformed == 1
    assert len(found.table) == 3


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_finds_the_encoding(encoding):
    found = read("city,y\nKöln,1\nNürnberg,2\n".encode(encoding), "y")
    assert found.table["city"].tolist() == ["Köln", "Nürnberg"]


def test_a_few_bytes_that_are_not_utf_8_do_not_change_the_encoding():
    text = "city,y\n" + "Köln,1\n" * 30
    assert read(text.encode() + b"K\xf6ln,2\n", "y").layout.encoding == "utf-8"


def test_another_encoding_can_be_named():
    raw = "city,y\nŁódź,1\nŁódź,2\n".encode("cp1250")
    assert read(raw, "y", encoding="cp1250").table["city"][0] == "Łódź"


def test_a_file_without_a_header_gets_made_up_names():
    found = read("ham\thello you\nspam\twin now\nham\tbye you\n", "column_1")
    assert found.layout.columns == ["column_1", "column_2"]
    assert len(found.table) == 3


def test_a_file_without_a_header_can_get_names():
    found = read("ham\thello\nspam\twin\n", "label", names=["label", "text"])
    assert found.layout.columns == ["label", "text"]
    assert found.table["label"].tolist() == ["ham", "spam"]


def test_a_first_row_of_names_is_a_header_without_the_target():
    assert read("x,y\n1,2\n3,4\n", "price").layout.columns is None


def test_reads_json_lines():
    found = read('{"x": 1, "ok": true}\n{"x": 2.5, "z": "a"}\n{"x": null, "ok": false}\n', "ok")
    assert found.layout.format == "jsonl"
    assert found.table.fillna("").to_dict("list") == {
        "x": ["1", "2.5", ""],
        "ok": ["true", "", "false"],
        "z": ["", "a", ""],
    }


def test_reads_parquet():
    file = io.BytesIO()
    df = pd.DataFrame(
        {"x": [1.0, None, 2.5], "n": [1, 2, 3], "d": pd.to_datetime(["2024-01-31"] * 3)}
    )
    df.to_parquet(file)
    found = read(file.getvalue(), "x")
    assert found.layout.format == "parquet"
    assert found.table["x"].dropna().tolist() == ["1", "2.5"]
    assert found.table["n"].tolist() == ["1", "2", "3"]
    assert found.table["d"][0].startswith("2024-01-31")


def test_reads_an_excel_workbook():
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (["x", "y"], [1, "a"], [None, "b"]):
        book.active.append(row)
    file = io.BytesIO()
    book.save(file)
    found = read(file.getvalue(), "y")
    assert found.layout.format == "excel"
    assert found.table["y"].tolist() == ["a", "b"]


@pytest.mark.parametrize("text", [CSV, '{"price": 1, "x": 2}\n{"price": 3, "x": 1}\n'])
def test_reads_what_gzip_compressed(text):
    packed = gzip.compress(text.encode())
    found = read(packed)
    assert "compressed by gzip" in found.layout.evidence["format"]
    pd.testing.assert_frame_equal(found.table, read(text).table)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "the file is empty"),
        (b" \n\n", "the file is empty"),
        (b"x,y\n", "no rows"),
        (b"x\n1\n2\n", "only one column"),
        (b"x,x,y\n1,2,3\n", "'x' occurs more than once"),
        (b",,y\n1,2,3\n", "several columns have no name"),
        (b'[{"x": 1, "y": 2}]', "JSON lines"),
        (b"SQLite format 3\0" + bytes(100), "SQLite"),
        (b"PK\x03\x04" + bytes(100), "zip archive"),
        (b"PAR1" + bytes(100), "not readable as Parquet"),
        (b"\x1f\x8b" + bytes(100), "damaged or incomplete gzip"),
        (bytes(range(256)) * 10, "binary format"),
        (b"\x89PNG\r\n\x1a\n" + bytes(1000), "binary format"),
    ],
)
def test_refuses_what_is_not_a_table_in_one_sentence(raw, message):
    with pytest.raises(UserError, match=message):
        read(raw, "y")


def test_a_workbook_without_openpyxl_is_one_sentence(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "openpyxl", None)
    with pytest.raises(UserError, match="openpyxl, which is not installed"):
        read(b"PK\x03\x04" + b"xl/workbook", "y")


def test_names_for_another_number_of_columns_are_refused():
    with pytest.raises(UserError, match="--columns has 3 names, the file 2 columns"):
        read("1,2\n3,4\n", "a", names=["a", "b", "c"])
