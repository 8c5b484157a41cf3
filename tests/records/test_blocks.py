"""Tests that tables read in blocks give the same as the exact reader."""

import io
from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from records import blocks, splitting
from records.batches import gather
from records.blocks import split_block
from records.chunks import TABLE_CHUNK_ROWS, TableColumns
from records.lines import check_records, make_writer, read_lines
from records.splitting import LINE_ENDS, bound_lines, split_csv, split_tsv

ROWS = ["1,2,3\n", '"a","b","c"\n', '"x,y",,"z"\r\n', "é,€,😀\n"]
DIFFICULT = [
    "",
    "\n",
    "\r\n",
    "1,2\n",
    "1,2,3,4\n",
    '"two\nlines",2,3\n',
    '"say ""hi""",2,3\n',
    '1,2,"open\n',
    '""\n',
    '5",6,7\n',
    "\udcff,2,3\n",
    "1,cr\rhere,3\n",
    "\ufeff1,2,3\n",
    "a\0b,\x1a,\x0b\x85\u2028\n",
    " ,\t,NA\n",
    f"{'x' * 50},2,3\n",
    "last,line,without end",
]


def describe(chunks, kind, separator):
    """Return what chunks hold: rows as they are written, values, lines, and rejected rows."""
    written = io.StringIO(newline="")
    write = make_writer(written, kind, None, ["label"], separator)
    values, lines, rejected = [], [], []
    for chunk in chunks:
        write(chunk.rows, [["a,b"] * len(chunk.rows)])
        is_split = isinstance(chunk.texts, list)
        found = chunk.texts if is_split else zip(*chunk.texts.to_pydict().values(), strict=True)
        values += map(list, found)
        lines += chunk.lines
        rejected += chunk.rejected
    return written.getvalue(), values, lines, rejected


def read_exactly(text, kind, separator):
    file = io.StringIO(text, newline="" if kind == "csv" else "\n")
    lines = bound_lines(file, LINE_ENDS[kind])
    records = split_csv(lines, separator) if kind == "csv" else split_tsv(lines)
    next(records)
    return describe(gather(check_records(records, [2, 0], 3, True)), kind, separator)


def read(text, kind, separator):
    file = io.StringIO(text, newline="" if kind == "csv" else "\n")
    columns = TableColumns([["c"], ["a"]], separator)
    _, chunks = read_lines(file, kind, columns, ["label"], "it")
    return describe(chunks, kind, separator)


def check(body, kind="csv", separator=",", block=4_000_000, line=1_000_000):
    if separator != ",":
        body = body.translate(str.maketrans({",": separator, separator: ","}))
    text = separator.join("abc") + "\n" + body
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK_LENGTH", block)
        for module in (blocks, splitting):
            patch.setattr(module, "MAX_LINE", line)
        assert read(text, kind, separator) == read_exactly(text, kind, separator)


ANY_TEXT = st.text(st.sampled_from('ab",;\t\r\n \udcff\0é\ufeff'), max_size=60)
ANY_ROWS = st.lists(st.sampled_from(ROWS + DIFFICULT), max_size=12).map("".join)
FORMATS = st.sampled_from([("csv", ","), ("csv", ";"), ("csv", "\t"), ("tsv", "\t")])


@given(ANY_TEXT | ANY_ROWS, FORMATS, st.integers(1, 100), st.sampled_from([20, 40, 1_000_000]))
@example('a,b,"' + "x\n" * 30, ("csv", ","), 7, 20)
@example("a,b,c\r\n" * 9, ("csv", ","), 6, 1_000_000)
def test_gives_what_the_exact_reader_gives(body, form, block, line):
    check(body, *form, block, line)


@pytest.mark.parametrize(("kind", "separator"), [("csv", ","), ("csv", ";"), ("tsv", "\t")])
def test_reads_on_in_blocks_after_a_difficulty(kind, separator):
    for block, (first, second) in product((1, 10, 1000), product(DIFFICULT, DIFFICULT)):
        check("".join([*ROWS, first, *ROWS, second, *ROWS]), kind, separator, block)


@pytest.mark.parametrize("row", ROWS)
def test_plain_rows_are_split_by_arrow(row):
    assert split_block(row * 3, "csv", ",", 3)[1].num_rows == 3


@pytest.mark.parametrize("row", DIFFICULT[:12])
def test_difficult_rows_are_not(row):
    assert split_block(ROWS[0] + row + (row and ROWS[0]), "csv", ",", 3 + (row == "")) is None


def test_quotes_have_no_meaning_in_tsv():
    rows, table = split_block('"a\t"b"\n', "tsv", "\t", 2)
    assert (rows, table.to_pylist()) == (['"a\t"b"'], [{"0": '"a', "1": '"b"'}])


def test_tsv_is_split_at_tabs_whatever_separates_csv():
    file = io.StringIO("a\tc\n1\t2,5\n")
    _, chunks = read_lines(file, "tsv", TableColumns([["c"], ["a"]], ","), ["label"], "it")
    assert describe(chunks, "tsv", ",")[1] == [["2,5", "1"]]


def test_a_chunk_has_a_limited_number_of_rows():
    n_rows = 2 * TABLE_CHUNK_ROWS + 1
    file = io.StringIO("a,b\n" + "1,2\n" * n_rows, newline="")
    _, chunks = read_lines(file, "csv", TableColumns([["a"]]), [], "it")
    assert [len(chunk.rows) for chunk in chunks] == [TABLE_CHUNK_ROWS, TABLE_CHUNK_ROWS, 1]


def test_few_lines_around_a_difficulty_go_to_the_exact_reader(monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_LENGTH", 1000)
    read = []

    def check_lines(records):
        for record in records:
            read.append(record)
            yield record[0], record[1], record[1], record[2], record[3]

    body = "1,2\n" * 2000 + '"a\nb",2\n' + "1,2\n" * 2000
    file = io.StringIO(body, newline="")
    n_rows = sum(
        len(chunk.rows) for chunk in blocks.read_blocks(file, "csv", ",", 2, [0], 1, check_lines)
    )
    assert n_rows == 4001
    assert len(read) < 300
