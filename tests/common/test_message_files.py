"""Tests of reading and writing files of messages."""

import csv
import io
import json
import re

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.message_chunks import CHUNK_ROWS
from common.message_files import STREAM, choose_format, open_source, open_target
from common.message_lines import check_json, gather, make_writer, read_lines, split_csv, split_tsv

ADDED = ["label", "probability", "model_version"]
VALUES = ["ham", 0.25, "abc"]
ODD = ["007", "NA", "", " a ", 'say "hi"', "two\nlines", "cr\rhere", "a,b\tc", "'", "null", "1e5"]

# What a CSV file can hold; a byte-order mark at the start of a file would be taken for one.
fields = st.text(st.characters(codec="utf-8", exclude_characters="\ufeff"), max_size=8)


def copy(path, kind, column="text"):
    """Copy a file with the same values added to each row; return the copy and the rejected rows."""
    target = path.with_name(f"copy.{kind}")
    rejected = []
    with (
        open_source(path, kind, column, ADDED) as source,
        open_target(target, kind, source.header, ADDED) as write,
    ):
        for chunk in source.chunks:
            write(chunk.rows, [[value] * len(chunk.texts) for value in VALUES])
            rejected += chunk.rejected
    return target, [(row.line, row.reason) for row in rejected]


def read_whole(lines, kind):
    """Return the accepted rows and the rejected ones of text."""
    newline = "" if kind == "csv" else "\n"
    header, chunks = read_lines(io.StringIO(lines, newline=newline), kind, "text", ADDED, "it")
    chunks = list(chunks)
    rows = [row for chunk in chunks for row in chunk.rows]
    return header, rows, [row for chunk in chunks for row in chunk.rejected]


def write_csv(rows):
    buffer = io.StringIO()
    csv.writer(buffer, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("source", "target", "chosen", "expected"),
    [
        ("a.csv", "b.csv", None, "csv"),
        ("a.TSV", "-", None, "tsv"),
        ("-", "b.jsonl", None, "jsonl"),
        ("a.ndjson", "b.jsonl", None, "jsonl"),
        ("a.csv", "b.out", None, "csv"),
        ("a.txt", "b.txt", "tsv", "tsv"),
        ("a.parquet", "b.parquet", None, "parquet"),
        ("-", "-", "csv", "csv"),
    ],
)
def test_suffixes_tell_the_format(tmp_path, source, target, chosen, expected):
    paths = [STREAM if name == "-" else tmp_path / name for name in (source, target)]
    assert choose_format(*paths, chosen) == expected


@pytest.mark.parametrize(
    ("source", "target", "chosen", "message"),
    [
        ("a.xlsx", "b.csv", None, r"a\.xlsx ends in none of \.csv.*--format"),
        ("-", "-", None, "a pipe has no name: say what its format is"),
        ("a.csv", "b.parquet", None, r"b\.parquet has another suffix .* let it end in \.csv"),
        ("-", "b.parquet", None, "Parquet cannot be piped"),
        ("-", "-", "parquet", "Parquet cannot be piped"),
    ],
)
def test_says_why_there_is_no_format(tmp_path, source, target, chosen, message):
    paths = [STREAM if name == "-" else tmp_path / name for name in (source, target)]
    with pytest.raises(ValueError, match=message):
        choose_format(*paths, chosen)


@given(rows=st.lists(st.tuples(fields, fields, fields), max_size=5))
def test_csv_keeps_every_field_of_every_scorable_row(rows):
    text = write_csv([("id", "text", "more"), *rows])
    header, accepted, rejected = read_whole(text, "csv")
    assert len(accepted) + len(rejected) == len(rows)
    buffer = io.StringIO(newline="")
    write = make_writer(buffer, "csv", header, ADDED)
    write(accepted, [[value] * len(accepted) for value in VALUES])
    found = list(csv.reader(io.StringIO(buffer.getvalue(), newline=""), strict=True))
    expected = [[*row, "ham", "0.25", "abc"] for row in rows if row[1].strip()]
    assert found == [["id", "text", "more", *ADDED], *expected]


@given(lines=st.lists(st.text(st.sampled_from('ab",\r\n \udcff'), max_size=12), max_size=12))
def test_broken_csv_loses_no_line(lines):
    lines = [f"{line}\n" for line in lines]
    text = "".join(lines)
    physical = list(io.StringIO(text, newline=""))
    records = list(split_csv(iter(physical)))
    numbers = [number for number, _, _ in records]
    assert numbers == sorted(set(numbers))
    assert all(1 <= number <= len(physical) for number in numbers)
    # A broken record is its first line alone, so the next one starts right after it.
    for (number, _, fault), following in zip(records, [*numbers, None][1:], strict=True):
        if fault and following is not None:
            assert following == number + 1


@given(lines=st.lists(st.text(st.sampled_from('ab{}":1,\t\udcff '), max_size=12), max_size=12))
def test_accepted_and_rejected_lines_are_all_lines(lines):
    for rows in (
        check_json(iter(lines), "a", []),
        ((number, fields, "", "", fault) for number, fields, fault in split_tsv(iter(lines))),
    ):
        chunks = list(gather(rows))
        assert sum(len(c.texts) + len(c.rejected) for c in chunks) == len(lines)


def test_gathers_chunks_of_the_same_size():
    rows = ((number, number, "text", "", "") for number in range(2 * CHUNK_ROWS + 1))
    assert [len(chunk.texts) for chunk in gather(rows)] == [CHUNK_ROWS, CHUNK_ROWS, 1]


def test_csv_rejects_what_cannot_be_scored(tmp_path):
    path = tmp_path / "messages.csv"
    path.write_bytes(
        b'id,text\r\n1,good\r\n2,"stray quote\r\n3,"two\r\nlines"\r\n4\r\n\r\n5,\xff\r\n6, \r\n7,NA'
    )
    target, rejected = copy(path, "csv")
    assert rejected == [
        (3, "broken quoting"),
        (6, "wrong number of fields"),
        (7, "empty line"),
        (8, "not valid Unicode"),
        (9, "empty text"),
    ]
    assert target.read_bytes().decode() == (
        "id,text,label,probability,model_version\n"
        '1,good,ham,0.25,abc\n3,"two\r\nlines",ham,0.25,abc\n7,NA,ham,0.25,abc\n'
    )


def test_a_quote_that_is_never_closed_costs_one_line(tmp_path):
    path = tmp_path / "messages.csv"
    path.write_text('text\n"open\n' + "message\n" * 50_000)
    target, rejected = copy(path, "csv")
    assert rejected == [(2, "broken quoting")]
    assert len(target.read_text().splitlines()) == 50_001


def test_tsv_takes_quotes_as_they_are(tmp_path):
    path = tmp_path / "messages.tsv"
    path.write_text('\ufefftext\tid\r\n"a\t07\n\nb "c"\t\r\nd\n', newline="")
    target, rejected = copy(path, "tsv")
    assert rejected == [(3, "empty line"), (5, "wrong number of fields")]
    assert target.read_text() == (
        "text\tid\tlabel\tprobability\tmodel_version\n"
        '"a\t07\tham\t0.25\tabc\nb "c"\t\tham\t0.25\tabc\n'
    )


def test_json_lines_keep_their_characters(tmp_path):
    path = tmp_path / "messages.jsonl"
    lines = ['{"n": 1.00, "text": "\\u00e9 \u2028", "x": {"y": [1e400]}}', '{"text":"b" } ']
    path.write_text("\n".join(lines))
    target, rejected = copy(path, "jsonl")
    assert rejected == []
    added = ', "label": "ham", "probability": 0.25, "model_version": "abc"}\n'
    assert target.read_text() == f"{lines[0][:-1]}{added}" + f'{{"text":"b"{added}'


def test_json_lines_reject_what_cannot_be_scored(tmp_path):
    path = tmp_path / "messages.jsonl"
    bad = [b"{", b"", b"[1]", b"{}", b'{"text": null}', b'{"text": 5}', b'{"text": ""}']
    bad += [b'{"text": "\\ud800"}', b'{"text": "\xff"}', b"[" * 100_000]
    path.write_bytes(b"\n".join(bad))
    assert copy(path, "jsonl")[1] == list(
        enumerate(
            [
                "malformed JSON",
                "empty line",
                "not a JSON object",
                "missing text",
                "missing text",
                "text is not a string",
                "empty text",
                "not valid Unicode",
                "not valid Unicode",
                "malformed JSON",
            ],
            start=1,
        )
    )


@pytest.mark.parametrize("kind", ["csv", "tsv"])
@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("", "does not start with a header"),
        ("\na", "does not start with a header: its first line is empty"),
        ("id", "has no column 'text', only id: name .* --text-column"),
        ("text{0}text", "has more than one column 'text'"),
        ("text{0}label", "has a column 'label' already: .*--prefix"),
        ("text{0}\udcff", "header .* is not in UTF-8"),
    ],
)
def test_refuses_a_header(tmp_path, kind, header, message):
    path = tmp_path / f"messages.{kind}"
    separator = "," if kind == "csv" else "\t"
    path.write_bytes(header.format(separator).encode("utf-8", "surrogateescape"))
    with pytest.raises(ValueError, match=message):
        copy(path, kind)


def test_refuses_a_line_of_json_that_has_a_key_to_add(tmp_path):
    path = tmp_path / "messages.jsonl"
    path.write_text('{"text": "a"}\n{"text": "a", "label": 1}\n')
    with pytest.raises(ValueError, match="line 2 has a column 'label' already"):
        copy(path, "jsonl")


def test_names_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no\.csv does not exist: mend --input"):
        copy(tmp_path / "no.csv", "csv")


def test_tells_how_much_is_read(tmp_path):
    path = tmp_path / "messages.csv"
    path.write_text("text\n" + "message\n" * 10 * CHUNK_ROWS)
    with open_source(path, "csv", "text", ADDED) as source:
        places = [source.tell() for _ in source.chunks]
    assert source.size == path.stat().st_size == places[-1]
    assert places == sorted(places)
    assert places[0] < places[-1]


def make_table(n):
    """Return a table of every kind of column that could change on the way."""
    return pd.DataFrame(
        {
            "text": [f"message {i}" for i in range(n)],
            "kind": pd.Categorical([("a", "b", None)[i % 3] for i in range(n)]),
            "when": pd.date_range("2020-01-01", periods=n, freq="h", tz="Europe/Paris"),
            "maybe": pd.array([None if i % 2 else i for i in range(n)], "Int64"),
            "tags": [[str(i)] * (i % 3) for i in range(n)],
            "raw": [bytes([i % 256]) for i in range(n)],
        },
        index=pd.Index(range(100, 100 + n), name="key"),
    )


def test_parquet_keeps_every_column_as_it_is(tmp_path):
    path = tmp_path / "messages.parquet"
    df = make_table(3 * CHUNK_ROWS + 1)
    df.to_parquet(path, row_group_size=CHUNK_ROWS // 2)
    target, rejected = copy(path, "parquet")
    found = pd.read_parquet(target)
    assert rejected == []
    pd.testing.assert_frame_equal(found.drop(columns=ADDED), pd.read_parquet(path))
    assert set(map(tuple, found[ADDED].to_numpy())) == {tuple(VALUES)}
    kept = pq.read_schema(target)
    assert [kept.field(name) for name in df] == [pq.read_schema(path).field(name) for name in df]


@pytest.mark.parametrize(
    "kind",
    [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())],
    ids=str,
)
def test_parquet_rejects_rows_without_text(tmp_path, kind):
    path = tmp_path / "messages.parquet"
    texts = pa.array(["a", None, " ", "d"]).cast(kind)
    pq.write_table(pa.table({"text": texts, "n": [1, 2, 3, 4]}), path)
    target, rejected = copy(path, "parquet")
    assert rejected == [(2, "missing text"), (3, "empty text")]
    assert pq.read_table(target)["n"].to_pylist() == [1, 4]


def test_parquet_rejects_undecodable_bytes(tmp_path):
    path = tmp_path / "messages.parquet"
    raw = pa.array([b"good", b"\xff", None])
    texts = pa.Array.from_buffers(pa.string(), 3, raw.buffers())
    pq.write_table(pa.table({"text": texts}), path)
    target, rejected = copy(path, "parquet")
    assert rejected == [(2, "not valid Unicode"), (3, "missing text")]
    assert pq.read_table(target)["text"].to_pylist() == ["good"]


def test_parquet_without_a_row_stays_so(tmp_path):
    path = tmp_path / "messages.parquet"
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), path)
    target, _ = copy(path, "parquet")
    assert pq.read_table(target).column_names == ["text", *ADDED]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"text": [1]}, "column 'text' is int64, not text"),
        ({"body": ["a"]}, "has no column 'text', only body"),
        ({"text": ["a"], "probability": [1]}, "has a column 'probability' already"),
    ],
)
def test_parquet_refuses_a_table(tmp_path, columns, message):
    path = tmp_path / "messages.parquet"
    pq.write_table(pa.table(columns), path)
    with pytest.raises(ValueError, match=message):
        copy(path, "parquet")


def test_parquet_refuses_another_file(tmp_path):
    path = tmp_path / "messages.parquet"
    path.write_text("text\nhello\n")
    with pytest.raises(ValueError, match=r"messages\.parquet is not a readable Parquet file"):
        copy(path, "parquet")


def test_parquet_names_the_row_where_it_is_damaged(tmp_path):
    path = tmp_path / "messages.parquet"
    pq.write_table(pa.table({"text": [f"message {i}" for i in range(50_000)]}), path)
    content = bytearray(path.read_bytes())
    content[100:-2000] = b"\xff" * (len(content) - 2100)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(f"{path} is damaged after row ")):
        copy(path, "parquet")


def test_lines_of_json_are_objects_again(tmp_path):
    path = tmp_path / "messages.jsonl"
    rows = [{"text": f"message {value}", "odd": value} for value in ODD]
    path.write_text("\n".join(map(json.dumps, rows)))
    target, _ = copy(path, "jsonl")
    found = list(map(json.loads, target.read_text().splitlines()))
    assert found == [{**row, **dict(zip(ADDED, VALUES, strict=True))} for row in rows]
