"""Tests of reading and writing files of messages."""

import csv
import gzip
import io
import json
import math
import os
import re
import threading

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.errors import UserError
from records import lines, splitting
from records.batches import CHUNK_LENGTH, Inbox, gather, gather_live
from records.chunks import CHUNK_ROWS, MAX_LENGTH, TABLE_CHUNK_ROWS, TableColumns
from records.files import STREAM, choose_format, open_source, open_target
from records.lines import check_json, format_numbers, make_writer, read_lines
from records.parquet import GROUP_ROWS
from records.splitting import LINE_ENDS, MAX_LINE, bound_lines, split_csv, split_tsv
from tests.support.full_disk import full_disk

ADDED = ["label", "probability", "model_version"]
VALUES = ["ham", 0.25, "abc"]
ODD = ["007", "NA", "", " a ", 'say "hi"', "two\nlines", "cr\rhere", "a,b\tc", "'", "null", "1e5"]

# Text that a CSV file can hold, except a byte order mark, which is removed at the start of a file.
fields = st.text(st.characters(codec="utf-8", exclude_characters="\ufeff"), max_size=8)


def copy(path, kind, column="text", compress=False):
    """Copy a file with the same values added to each row; return the copy and the rejected rows."""
    target = path.with_name(f"copy.{kind}{'.gz' if compress else ''}")
    rejected = []
    with (
        open_source(path, kind, column, ADDED) as source,
        open_target(target, kind, source.header, ADDED, compress) as write,
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


@pytest.fixture
def short_lines(monkeypatch):
    """Make lines of more than twenty characters too long."""
    monkeypatch.setattr(splitting, "MAX_LINE", 20)


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
        ("a.csv.gz", "b.csv", None, "csv"),
        ("a.TSV.GZ", "-", None, "tsv"),
        ("-", "b.jsonl.gz", None, "jsonl"),
        ("a.gz", "b.gz", "jsonl", "jsonl"),
    ],
)
def test_suffixes_determine_the_format(tmp_path, source, target, chosen, expected):
    paths = [STREAM if name == "-" else tmp_path / name for name in (source, target)]
    assert choose_format(*paths, chosen) == expected


@pytest.mark.parametrize(
    ("source", "target", "chosen", "message"),
    [
        ("a.xlsx", "b.csv", None, r"a\.xlsx ends in none of \.csv.*--format"),
        ("-", "-", None, "a pipe has no name: give the format"),
        ("a.csv", "b.parquet", None, r"b\.parquet has another suffix .* ends in \.csv"),
        ("-", "b.parquet", None, "Parquet cannot be piped"),
        ("-", "-", "parquet", "Parquet cannot be piped"),
        ("a.gz", "b.csv", None, r"a\.gz ends in none of \.csv.*--format"),
        ("a.csv", "b.tsv.gz", None, r"b\.tsv\.gz has another suffix .* ends in \.csv"),
        ("a.parquet.gz", "b.parquet", None, r"not read or written with gzip: .*\.gz"),
        ("a.parquet", "b.gz", "parquet", r"not read or written with gzip: .*\.gz"),
    ],
)
def test_refuses_names_that_do_not_determine_the_format(tmp_path, source, target, chosen, message):
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
    numbers = [number for number, *_ in records]
    assert numbers == sorted(set(numbers))
    assert all(1 <= number <= len(physical) for number in numbers)
    # Only the first line of a broken record is rejected, so the next record starts after that line.
    for (number, _, reason, *_), following in zip(records, [*numbers, None][1:], strict=True):
        if reason and following is not None:
            assert following == number + 1


@given(lines=st.lists(st.text(st.sampled_from('ab{}":1,\t\udcff '), max_size=12), max_size=12))
def test_accepted_and_rejected_lines_are_all_lines(lines):
    for rows in (
        check_json(iter(lines), "a", [], "it"),
        ((number, fields, "", *reason) for number, fields, *reason, _ in split_tsv(iter(lines))),
    ):
        chunks = list(gather(rows))
        assert sum(len(c.texts) + len(c.rejected) for c in chunks) == len(lines)


def test_gathers_chunks_of_the_same_size():
    rows = ((number, "row", "text", "", "") for number in range(2 * CHUNK_ROWS + 1))
    assert [len(chunk.texts) for chunk in gather(rows)] == [CHUNK_ROWS, CHUNK_ROWS, 1]


@pytest.mark.parametrize("row", ["x" * 500_000, ["x", "x" * 499_999]], ids=["line", "fields"])
def test_chunks_of_long_rows_have_few_rows(row):
    rows = ((number, row, "text", "", "") for number in range(20))
    assert {len(chunk.texts) for chunk in gather(rows)} == {CHUNK_LENGTH // 500_000, 4}


def test_a_live_source_is_gathered_as_a_file_is():
    rows = [(n, f"row {n}", f"text {n}", "bad" if n % 7 == 0 else "", "") for n in range(9999)]
    chunks = list(gather_live(iter(rows)))
    assert [text for chunk in chunks for text in chunk.texts] == [r[2] for r in rows if not r[3]]
    assert [r.line for chunk in chunks for r in chunk.rejected] == [r[0] for r in rows if r[3]]
    assert max(len(chunk.texts) + len(chunk.rejected) for chunk in chunks) <= CHUNK_ROWS


def test_a_live_row_does_not_wait_for_others():
    is_taken = threading.Event()

    def read():
        yield 1, "row", "first", "", ""
        assert is_taken.wait(60)
        yield 2, "row", "second", "", ""

    chunks = gather_live(read())
    first = next(chunks)
    is_taken.set()
    assert (first.texts, first.is_urgent) == (["first"], True)
    assert [chunk.texts for chunk in chunks] == [["second"]]


def test_a_live_source_is_not_read_far_ahead():
    read = []
    rows = ((read.append(n), "row", "text", "", "") for n in range(5 * CHUNK_ROWS))
    inbox = Inbox()
    thread = threading.Thread(target=inbox.fill, args=(rows,))
    thread.start()
    assert len(inbox.take().rows) == CHUNK_ROWS
    assert len(read) <= 2 * CHUNK_ROWS + 1
    while inbox.take().rows:
        pass
    thread.join()


def test_an_error_of_a_live_source_comes_after_its_rows():
    def read():
        yield 1, "row", "first", "", ""
        raise ValueError("broken")

    chunks = gather_live(read())
    assert next(chunks).texts == ["first"]
    with pytest.raises(ValueError, match="broken"):
        next(chunks)


LINES = st.lists(st.text(st.sampled_from("ab"), max_size=50), max_size=5)


@pytest.mark.parametrize(("kind", "end"), [("csv", "\r"), ("csv", "\r\n"), ("tsv", "\n")])
@given(lines=LINES)
def test_no_line_is_longer_than_the_limit_and_none_is_lost(kind, end, lines):
    text = "".join(line + end for line in lines)
    newline = "" if kind == "csv" else "\n"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(splitting, "MAX_LINE", 20)
        found = list(bound_lines(io.StringIO(text, newline=newline), LINE_ENDS[kind]))
    assert found == [(line + end)[:21] for line in lines]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("csv", "text\na\n{}\nb\n"),
        ("csv", 'text\na\n"{}"\nb\n'),
        ("csv", "text\r\na\r\n{}\r\nb\r\n"),
        ("csv", "text\ra\r{}\rb\r"),
        ("tsv", "text\na\n{}\nb\n"),
        ("tsv", "text\r\na\r\n{}\r\nb\r\n"),
    ],
)
@pytest.mark.parametrize("length", [21, 22, 41, 42, 43, 100])
@pytest.mark.usefixtures("short_lines")
def test_only_the_line_that_is_too_long_is_rejected(kind, text, length):
    _, rows, rejected = read_whole(text.format("x" * length), kind)
    assert rows == [["a"], ["b"]]
    assert [(row.line, row.reason) for row in rejected] == [(3, "line too long")]


@pytest.mark.usefixtures("short_lines")
def test_only_the_line_of_json_that_is_too_long_is_rejected():
    lines = ['{"text":"a"}', '{"text":"a"}' + " " * 20 + "x", '{"text":"b"}']
    _, rows, rejected = read_whole("\n".join(lines), "jsonl")
    assert rows == [lines[0], lines[2]]
    assert [(row.line, row.reason) for row in rejected] == [(2, "line too long")]


@pytest.mark.usefixtures("short_lines")
def test_only_the_first_line_of_a_record_that_is_too_long_is_rejected():
    _, rows, rejected = read_whole('text\n"aaaa\nbbbb\ncccc\ndddd\neeee"\nf\n', "csv")
    assert [row.line for row in rejected] == [2]
    assert rejected[0].reason == "broken quoting"
    assert rows == [["bbbb"], ["cccc"], ["dddd"], ['eeee"'], ["f"]]


def test_a_field_may_be_as_long_as_a_line():
    text = "id,text\n" + "x" * 200_000 + ",a\n"
    assert read_whole(text, "csv")[1] == [["x" * 200_000, "a"]]


def test_quotes_that_never_close_are_read_once():
    lines = [f'x","{n}\n' for n in range(20_000)]
    read = []
    records = list(split_csv(read.append(line) or line for line in lines))
    assert [reason for _, _, reason, *_ in records] == ["broken quoting"] * len(lines)


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("x" * (MAX_LENGTH + 1), "100,001 characters, at most 100,000"),
        ("㏂" * 50_000, "200,000 characters in NFKC, at most 100,000"),
        ("ﷺ" * 5_600, "100,800 characters in NFKC, at most 100,000"),
    ],
    ids=["received", "four for one", "eighteen for one"],
)
def test_rejects_a_text_that_is_too_long(text, detail):
    rows = [{"text": "x" * MAX_LENGTH}, {"text": text}, {"text": "é" * MAX_LENGTH}]
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    _, accepted, rejected = read_whole("\n".join(lines), "jsonl")
    assert accepted == [lines[0], lines[2]]
    assert rejected == [(2, "text too long", detail)]


@given(st.lists(st.floats() | st.floats(-1e10, 1e10) | st.integers(-99, 99).map(float)))
@example([0.0, -0.0, 1e-4, math.nextafter(1e-4, 0), 1e9, 999999999.5, math.inf, math.nan])
def test_many_numbers_are_written_as_python_does(values):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "MANY", 0)
        assert format_numbers(values) == list(map(str, values))


def test_parquet_of_many_rows_is_written_in_groups_of_limited_size(tmp_path):
    path, n_rows = tmp_path / "rows.parquet", GROUP_ROWS + 2 * TABLE_CHUNK_ROWS + 1
    pq.write_table(pa.table({"n": range(n_rows)}), path)
    target, _ = copy(path, "parquet", TableColumns([["n"]]))
    written = pq.ParquetFile(target).metadata
    assert written.num_rows == n_rows
    assert written.row_group(0).num_rows == GROUP_ROWS


def test_parquet_rejects_a_text_that_is_too_long(tmp_path):
    path = tmp_path / "messages.parquet"
    pq.write_table(pa.table({"text": ["a", "x" * 2_000_000, "b"]}), path)
    target, rejected = copy(path, "parquet")
    assert rejected == [(2, "text too long")]
    assert pq.read_table(target)["text"].to_pylist() == ["a", "b"]


def test_parquet_of_long_texts_is_read_in_small_chunks(tmp_path):
    path = tmp_path / "messages.parquet"
    pq.write_table(pa.table({"text": ["x" * 90_000] * 1000}), path)
    assert path.stat().st_size < 100_000
    with open_source(path, "parquet", "text", ADDED) as source:
        counts = [len(chunk.texts) for chunk in source.chunks]
    assert sum(counts) == 1000
    assert max(counts) <= 200


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl"])
def test_gzip_is_read_and_written(tmp_path, kind):
    plain, packed = tmp_path / f"messages.{kind}", tmp_path / f"messages.{kind}.gz"
    row = '{"text": "héllo"}\n' if kind == "jsonl" else "héllo\n"
    plain.write_text("\ufeff" + ("" if kind == "jsonl" else "text\n") + row * 3000)
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    expected, _ = copy(plain, kind)
    written, _ = copy(packed, kind, compress=True)
    assert gzip.decompress(written.read_bytes()) == expected.read_bytes()
    first = written.read_bytes()
    assert copy(packed, kind, compress=True)[0].read_bytes() == first


@pytest.mark.parametrize("harm", [lambda x: x[:-9], lambda x: x[:-8] + b"12345678"])
def test_names_a_damaged_gzip_file(tmp_path, harm):
    path = tmp_path / "messages.csv.gz"
    path.write_bytes(harm(gzip.compress(b"text\n" + os.urandom(9).hex().encode() + b"\nmore\n")))
    with pytest.raises(ValueError, match=r"messages\.csv\.gz is a damaged or incomplete gzip file"):
        copy(path, "csv")


@pytest.mark.parametrize(
    "text",
    ['[{"text": "a"}]', '[\n{"text": "a"},\n{"text": "b"}\n]', '\ufeff [ {\n"text": "a"}]\n', "["],
)
def test_says_that_a_file_is_a_json_array(tmp_path, text):
    path = tmp_path / "messages.jsonl"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"messages\.jsonl is a JSON array, not JSON lines: .*jq"):
        copy(path, "jsonl")


def test_a_list_of_something_else_is_one_bad_row(tmp_path):
    path = tmp_path / "messages.jsonl"
    path.write_text('[1]\n{"text": "a"}\n')
    assert copy(path, "jsonl")[1] == [(1, "not a JSON object")]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_rejects_numbers_that_json_does_not_have(tmp_path, number):
    path = tmp_path / "messages.jsonl"
    path.write_text(f'{{"text": "a", "n": [{number}]}}\n{{"text": "b"}}\n')
    target, rejected = copy(path, "jsonl")
    assert rejected == [(1, "malformed JSON")]
    assert len(target.read_text().splitlines()) == 1


def test_keeps_odd_json_as_it_is(tmp_path):
    path = tmp_path / "messages.jsonl"
    line = f'{{"x": "\\ud800", "n": 1e400, "m": {"1" * 5000}, "text": "no", "text": "a\\u0000"}}'
    path.write_text(line + "\n")
    target, rejected = copy(path, "jsonl")
    assert rejected == []
    assert target.read_text().startswith(line[:-1] + ', "label"')


def test_says_that_carriage_returns_end_no_line_of_tsv(tmp_path):
    path = tmp_path / "messages.tsv"
    path.write_bytes(b"id\ttext\r1\ta\r2\tb\r")
    with pytest.raises(ValueError, match="has carriage returns within its lines: end lines"):
        copy(path, "tsv")


def test_shows_few_of_many_columns(tmp_path):
    path = tmp_path / "messages.csv"
    path.write_text(",".join(["x" * 1000, *map(str, range(5000))]) + "\n")
    with pytest.raises(
        ValueError, match=r"x{40}\.\.\., 0, 1, 2, .*, 8 and 4,991 more: name"
    ) as caught:
        copy(path, "csv")
    assert len(str(caught.value)) < 400


def test_says_that_a_header_is_too_long(tmp_path):
    path = tmp_path / "messages.csv"
    path.write_text("x" * (MAX_LINE + 1) + "\n")
    with pytest.raises(ValueError, match="does not start with a header: line too long: more than"):
        copy(path, "csv")


@pytest.mark.parametrize(
    ("kind", "compress"), [("csv", False), ("csv", True), ("jsonl", False), ("parquet", False)]
)
def test_names_the_file_that_does_not_fit_on_the_disk(tmp_path, kind, compress):
    path = tmp_path / f"messages.{kind}"
    df = pd.DataFrame({"text": [os.urandom(500).hex() for _ in range(1000)]})
    if kind == "parquet":
        df.to_parquet(path)
    elif kind == "csv":
        df.to_csv(path, index=False)
    else:
        df.to_json(path, orient="records", lines=True)
    with full_disk(100_000), pytest.raises(OSError, match=r"File too large: .*copy") as caught:
        copy(path, kind, compress=compress)
    assert caught.value.filename == str(tmp_path / f"copy.{kind}{'.gz' if compress else ''}")


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


def test_only_the_line_of_an_unclosed_quote_is_rejected(tmp_path):
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


def test_several_columns_may_have_no_name(tmp_path):
    path = tmp_path / "messages.csv"
    path.write_text("v1,text,,,\nham,hi,,,\n")
    target, rejected = copy(path, "csv")
    assert target.read_text().splitlines()[1] == "ham,hi,,,,ham,0.25,abc"
    assert rejected == []


@pytest.mark.parametrize("kind", ["csv", "tsv"])
@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("", "does not start with a header"),
        ("\na", "does not start with a header: its first line is empty"),
        ("id", "has no column 'text', only id: name .* --text-column"),
        ("text{0}text", "has the column 'text' more than once: rename or remove one"),
        ("text{0}id{0}id", "has the column 'id' more than once: rename or remove one"),
        ("text{0}label", "has a column 'label' already: .*--prefix"),
        ("text{0}\udcff", "header .* is not in the expected encoding: name .* --encoding"),
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
    with pytest.raises(
        ValueError, match=r"line 2 of .*messages\.jsonl has a column 'label' already"
    ):
        copy(path, "jsonl")


def test_names_a_missing_file(tmp_path):
    with pytest.raises(UserError, match=r"no\.csv does not exist: correct --input"):
        copy(tmp_path / "no.csv", "csv")


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_refuses_a_folder(tmp_path, kind):
    with pytest.raises(
        ValueError, match=r"^.* is a folder.*, not a file: name a file with --input$"
    ):
        copy(tmp_path, kind)


def test_refuses_a_folder_as_standard_input(tmp_path):
    before, folder = os.dup(0), os.open(tmp_path, os.O_RDONLY)
    os.dup2(folder, 0)
    try:
        with pytest.raises(ValueError, match="standard input is a folder, not a file"):
            copy(STREAM, "csv")
    finally:
        os.dup2(before, 0)
        os.close(before)
        os.close(folder)


def test_refuses_parquet_from_a_named_pipe(tmp_path):
    path = tmp_path / "messages.parquet"
    os.mkfifo(path)
    with pytest.raises(ValueError, match=r"messages\.parquet is a folder or a pipe, not a file"):
        copy(path, "parquet")


def test_reports_how_much_has_been_read(tmp_path):
    path = tmp_path / "messages.csv"
    path.write_text("text\n" + "message\n" * 10 * CHUNK_ROWS)
    with open_source(path, "csv", "text", ADDED) as source:
        places = [source.tell() for _ in source.chunks]
    assert source.size == path.stat().st_size == places[-1]
    assert places == sorted(places)
    assert places[0] < places[-1]


def make_table(n):
    """Return a table with every kind of column that a copy could change."""
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


def test_parquet_without_rows_gives_parquet_without_rows(tmp_path):
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
