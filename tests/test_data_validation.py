"""Tests of separating valid from rejected rows."""

import gzip
import io
import json
import zipfile

import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import data_validation
from core.errors import UserError
from core.params import read_params
from data_validation import partition_rows
from records.additions import FIRST_LINE
from records.checks import check_rows
from records.reading import read_raw
from records.schema import Schema
from records.validation_params import ValidationParams

LENIENT = {"max_rejected_share": 1, "min_rows_per_label": 1}


@pytest.fixture
def validate(params_file, tmp_path):
    """Return a function that validates bytes; it returns accepted, rejected and the report."""

    def run(raw, additions=b"", **changes):
        changes = {**LENIENT, **changes}
        params = params_file(
            {
                f"{'schema' if key in Schema.model_fields else 'data_validation'}.{key}": value
                for key, value in changes.items()
            }
        )
        source, added = tmp_path / "source", tmp_path / "additions"
        source.write_bytes(raw)
        added.write_bytes(FIRST_LINE + additions)
        paths = {name: tmp_path / name for name in ("output", "rejected", "report")}
        argv = ["--params", str(params), "--input", str(source), "--additions", str(added)]
        data_validation.main(argv + [f"--{name}={path}" for name, path in paths.items()])
        rejected = pd.read_csv(paths["rejected"], keep_default_na=False)
        report = json.loads(paths["report"].read_text())
        return pd.read_parquet(paths["output"]), rejected, report

    return run


GOOD = b"ham\thello there\nspam\twin cash\n"


def test_accepts_good_rows(validate):
    accepted, rejected, report = validate(GOOD)
    assert accepted["text"].tolist() == ["hello there", "win cash"]
    assert accepted["row"].tolist() == [1, 2]
    assert list(accepted["label"].cat.categories) == ["ham", "spam"]
    assert len(rejected) == 0
    assert report["labels"]["spam"] == {"count": 1, "share": 0.5}
    assert report["length"]["q0"] == 8


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"eggs\thello", "unknown label"),
        (b"ham\t", "empty text"),
        (b"ham\t \xc2\xa0 ", "empty text"),
        (b"ham\t" + b"x" * 2001, "text too long"),
        (b"ham\tcaf\xe9", "undecodable bytes"),
        (b"ham", "wrong number of fields"),
        (b"ham\ta\tb", "wrong number of fields"),
        (b"", "wrong number of fields"),
        (b"ham\ta\x00b", "NUL character"),
    ],
)
def test_rejects_a_bad_row_with_its_line_and_reason(validate, line, reason):
    accepted, rejected, report = validate(GOOD + line + b"\nham\tlast one\n")
    assert rejected[["row", "reason"]].to_numpy().tolist() == [[3, reason]]
    assert accepted["row"].tolist() == [1, 2, 4]
    assert report["reasons"] == {reason: 1}


def test_rejects_short_text(validate):
    _, rejected, _ = validate(GOOD + b"ham\tok\n", min_length=3)
    assert rejected["reason"].tolist() == ["text too short"]


def test_rejects_every_row_of_a_text_with_both_labels(validate):
    _, rejected, _ = validate(GOOD + b"spam\thello   there\nham\tbye\n")
    assert rejected["row"].tolist() == [1, 3]
    assert set(rejected["reason"]) == {"same text with both labels"}


def test_added_rows_are_marked_and_numbered_after_the_source(validate):
    accepted, _, report = validate(GOOD, b"ham\tnew one\r\nspam\tnew two")
    assert accepted["text"].tolist() == ["hello there", "win cash", "new one", "new two"]
    assert accepted["row"].tolist() == [1, 2, 3, 4]
    assert accepted["added"].tolist() == [False, False, True, True]
    assert (report["read"], report["accepted"], report["added"]) == (4, 4, 2)


@pytest.mark.parametrize("end", ["", "\n"])
def test_added_rows_are_numbered_after_a_record_of_several_lines(validate, end):
    raw = f'id,label,message\n7,ham,"one\ntwo\n\nfour"\n8,spam,"win\ncash"{end}'.encode()
    accepted, _, _ = validate(raw, b'9,ham,"a\nb"\n10,spam,c\n', **CSV, id=["id"])
    assert accepted["row"].tolist() == [2, 6, 8, 10]


def test_a_bad_added_row_is_rejected_like_any_other(validate):
    added = b"eggs\thello\nham\tgood\n\nham\tcaf\xe9\nham\t" + b"x" * 2001
    accepted, rejected, report = validate(GOOD, added)
    assert accepted["row"].tolist() == [1, 2, 4]
    assert rejected["row"].tolist() == [3, 5, 6, 7]
    assert rejected["line"][0] == "eggs\thello"
    assert (report["read"], report["rejected"], report["added"]) == (7, 4, 1)


def test_an_added_row_may_contradict_what_came_before(validate):
    accepted, rejected, _ = validate(GOOD, b"spam\thello there\nspam\tnew\nham\tnew\n")
    assert accepted["row"].tolist() == [1, 2, 3, 4, 5]
    assert len(rejected) == 0


def test_an_added_row_resolves_a_contradiction_of_the_source(validate):
    raw = GOOD + b"spam\thello   there\nham\tbye\n"
    accepted, rejected, _ = validate(raw, b"ham\thello there\n")
    assert rejected["row"].tolist() == [1, 3]
    assert accepted["row"].tolist() == [2, 4, 5]


@pytest.mark.parametrize(
    ("added", "message"),
    [
        (bytes(range(256)) * 4, r"additions: the file is binary"),
        ("ham\thello\n".encode("utf-16"), r"additions: the file is in UTF-16"),
        (b"\n\n", r"additions: the file is empty"),
        (b"eggs\ta\n" * 3, r"source and .*additions: 3 of 5 rows rejected"),
    ],
)
def test_names_the_additions_when_they_cause_the_error(validate, added, message):
    with pytest.raises(ValueError, match=message):
        validate(GOOD, added, max_rejected_share=0.5)


def test_refuses_a_file_of_additions_without_its_first_line(validate, tmp_path):
    validate(GOOD)
    (tmp_path / "added").write_bytes(GOOD)
    files = {"params": "params.yaml", "input": "source", "additions": "added"}
    outputs = {name: name for name in ("output", "rejected", "report")}
    arguments = [f"--{name}={tmp_path / file}" for name, file in (files | outputs).items()]
    with pytest.raises(ValueError, match=r"added: its first line is not '# Rows that are added"):
        data_validation.main(arguments)


def test_shows_undecodable_bytes_as_escapes_in_the_rejected_rows(validate):
    _, rejected, _ = validate(GOOD + b"ham\tcaf\xe9\n")
    assert rejected["line"].tolist() == ["ham\tcaf\\udce9"]


def test_quotes_are_ordinary_characters_without_quoting(validate):
    accepted, _, _ = validate(b'ham\t"quoted\nspam\tnot closed"\nham\t"\n')
    assert accepted["text"].tolist() == ['"quoted', 'not closed"', '"']


def test_only_line_feeds_end_a_line(validate):
    accepted, _, _ = validate("ham\ta\u2028b\x0cc\r\nspam\td\u0085e\n".encode())
    assert accepted["row"].tolist() == [1, 2]


def test_drops_a_byte_order_mark(validate):
    accepted, _, _ = validate(b"\xef\xbb\xbf" + GOOD)
    assert accepted["label"].tolist() == ["ham", "spam"]


def test_needs_no_line_feed_at_the_end(validate):
    accepted, _, _ = validate(GOOD.rstrip())
    assert len(accepted) == 2


CSV = {"separator": ",", "quoting": True, "columns": [], "text": ["message"]}


def test_reads_csv_with_header_and_quotes(validate):
    raw = b'id,label,message\n7,ham,"hi, ""you""\nsecond line"\n8,spam,win\n'
    accepted, rejected, _ = validate(raw, **CSV, drop=["id"])
    assert accepted["message"].tolist() == ['hi, "you"\nsecond line', "win"]
    assert accepted["row"].tolist() == [2, 4]
    assert len(rejected) == 0


def test_reads_utf_16_if_the_parameters_say_so(validate):
    accepted, _, _ = validate(GOOD.decode().encode("utf-16"), encoding="utf-16")
    assert len(accepted) == 2


def test_rejects_broken_quoting_and_continues(validate):
    raw = b'label,message\nham,"a" b\nspam,"win"\nham,fine\nham,"never closed\n'
    accepted, rejected, _ = validate(raw, **CSV)
    assert accepted["row"].tolist() == [3, 4]
    assert rejected["row"].tolist() == [2, 5]
    assert set(rejected["reason"]) == {"broken quoting"}


def test_only_the_line_with_an_unclosed_quote_is_rejected(validate):
    raw = b'label,message\nham,"never closed\nspam,win\nham,fine\nspam,"so is this\nham,bye\n'
    accepted, rejected, _ = validate(raw, **CSV)
    assert accepted["row"].tolist() == [3, 4, 6]
    assert rejected[["row", "line"]].to_numpy().tolist() == [
        [2, 'ham,"never closed'],
        [5, 'spam,"so is this'],
    ]
    assert set(rejected["reason"]) == {"broken quoting"}


@pytest.mark.parametrize("quoting", [True, False])
def test_a_line_of_more_than_a_megabyte_is_rejected_and_cut(validate, quoting):
    raw = b"label,message\nham," + b"x" * 3_000_000 + b"\nspam,win\nham,fine\n"
    accepted, rejected, _ = validate(raw, **{**CSV, "quoting": quoting})
    assert accepted["row"].tolist() == [3, 4]
    assert rejected[["row", "reason"]].to_numpy().tolist() == [[2, "line too long"]]
    assert len(rejected["line"][0]) < 1_100_000


def test_a_quoted_text_may_be_as_long_as_the_parameters_say(validate):
    raw = b'label,message\nham,"' + b"x" * 200_000 + b'"\nspam,win\n'
    accepted, _, _ = validate(raw, **CSV, max_length=300_000)
    assert accepted["message"].str.len().tolist() == [200_000, 3]


def test_rejects_a_quote_that_swallows_lines(validate):
    raw = b'label,message\nham,"oh\nspam,win\nham,no"\nham,fine\nspam,claim\n'
    accepted, rejected, _ = validate(raw, **CSV)
    assert rejected[["row", "reason"]].to_numpy().tolist() == [[2, "quotes swallow lines"]]
    assert accepted["row"].tolist() == [5, 6]


def test_names_a_column_that_the_header_lacks(validate):
    message = r"source: it has no column 'message'; no list of the schema has its column 'text'"
    with pytest.raises(ValueError, match=message):
        validate(b"label,text\nham,hi\n", **CSV)


def test_refuses_a_header_without_rows(validate):
    with pytest.raises(ValueError, match="a header but no rows"):
        validate(b"label,message\n", **CSV)


@pytest.mark.parametrize("raw", [b"", b" \n\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
@pytest.mark.parametrize("columns", [["label", "text"], []])
def test_refuses_an_empty_file(validate, raw, columns):
    with pytest.raises(ValueError, match=r"source: the file is empty"):
        validate(raw, columns=columns)


def test_refuses_a_binary_file(validate):
    with pytest.raises(ValueError, match=r"source: the file is binary"):
        validate(bytes(range(256)) * 4)


def pack_zip(*names):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, GOOD)
    return buffer.getvalue()


def write_parquet():
    return pd.DataFrame({"label": ["ham"], "text": ["hi"]}).to_parquet()


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (write_parquet(), "is in Parquet, not text: set data_validation.format to parquet"),
        (pack_zip("a.xml", "xl/workbook.xml"), "is an Excel workbook, not text: set data_validat"),
        (pack_zip("data.tsv"), "is a zip archive, not text: name a file in it, as in zip://"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), r"is an Excel workbook \(xls\), not"),
        (b"SQLite format 3\0" + bytes(500), "is an SQLite database, not text: export its table"),
    ],
    ids=["parquet", "xlsx", "zip", "xls", "sqlite"],
)
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_names_the_format_of_a_binary_file_and_what_to_do(validate, raw, message, encoding):
    with pytest.raises(ValueError, match=rf"source: the file {message}"):
        validate(raw, encoding=encoding)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_refuses_utf_16_and_says_how_to_read_it(validate, encoding):
    with pytest.raises(ValueError, match="in UTF-16, not in utf-8: set data_validation"):
        validate(GOOD.decode().encode(encoding))


def test_refuses_a_file_that_is_not_in_the_given_encoding(validate):
    with pytest.raises(ValueError, match="the file is not in utf-16"):
        validate(b"abc", encoding="utf-16")


def test_refuses_quoted_csv_given_as_tsv_and_writes_the_rejected_rows(validate, tmp_path):
    raw = b'"label","message"\n"ham","hi"\n"spam","win"\n'
    with pytest.raises(ValueError, match=r"3 of 3 rows rejected .*3 with wrong number of fields"):
        validate(raw, max_rejected_share=0.5)
    assert pd.read_csv(tmp_path / "rejected")["row"].tolist() == [1, 2, 3]
    assert json.loads((tmp_path / "report").read_text())["rejected"] == 3
    assert not (tmp_path / "output").exists()


def test_refuses_a_file_of_unknown_labels(validate):
    with pytest.raises(ValueError, match="2 with unknown label"):
        validate(b"eggs\ta\nbacon\tb\n", max_rejected_share=0.5)


def test_names_the_three_most_frequent_unknown_labels(validate):
    labels = ["d"] + ["c"] * 2 + ["b"] * 3 + ["a" * 100] * 4
    raw = "".join(f"{label}\t{i}\n" for i, label in enumerate(labels)).encode()
    named = rf"the most frequent unknown labels: '{'a' * 39} in 4, 'b' in 3, 'c' in 2 .*; every"
    with pytest.raises(ValueError, match=named):
        validate(GOOD + raw, max_rejected_share=0.5)
    with pytest.raises(ValueError, match=f"1 rows have the label 'ham', fewer.*{named}"):
        validate(GOOD + raw, min_rows_per_label=2)


def test_refuses_data_with_only_one_label(validate):
    with pytest.raises(ValueError, match=r"0 rows have the label 'spam', fewer than") as caught:
        validate(b"ham\ta\nham\tb\n")
    assert "rejected" not in str(caught.value)


def test_strips_blanks_around_labels_and_counts_them(validate):
    raw = b" ham\thello\nspam \twin\nham\tbye\n eggs \tno\nham\n"
    accepted, rejected, report = validate(raw, b"ham\xc2\xa0\tadded\n")
    assert accepted["label"].tolist() == ["ham", "spam", "ham", "ham"]
    assert rejected["detail"].tolist() == ["' eggs '", "1, expected 2"]
    assert report["stripped_labels"] == 3


def test_keeps_blanks_that_belong_to_a_label(validate):
    accepted, _, report = validate(b" ham\thello\nspam\twin\n", labels=[" ham", "spam"])
    assert accepted["label"].tolist() == [" ham", "spam"]
    assert report["stripped_labels"] == 0


@pytest.mark.parametrize("column", ["message", "label", "id"])
def test_names_a_column_that_the_header_has_twice(validate, column):
    raw = f"id,label,message,{column}\n1,ham,hi,x\n".encode()
    message = rf"source: it has the column '{column}' more than once: rename or"
    with pytest.raises(ValueError, match=message):
        validate(raw, **CSV, id=["id"])


def test_several_columns_may_have_no_name(validate):
    accepted, _, _ = validate(b"label,message,,\nham,hi,,\nspam,win,,\n", **CSV)
    assert accepted["message"].tolist() == ["hi", "win"]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("encoding", "klingon", "data_validation.encoding: Python knows no such encoding"),
        ("encoding", "hex", "data_validation.encoding: Python knows no such encoding"),
        ("separator", ", ", "data_validation.separator: "),
        ("columns", ["label", "text", "text"], "columns names 'text' more than once"),
        ("labels", [0, "1"], "schema.labels.0: YAML does not read this as text: quote it"),
        ("decimal", ",,", "data_validation.decimal: "),
        ("thousands", ".", "decimal and thousands are the same"),
        ("constraints", [{"column": "text"}], "column 'text' has no constraint: add one"),
        ("constraints", [{"column": "text", "pattern": "["}], "not a regular expression"),
        ("date_formats", [{"column": "text", "format": "d"}], "data_validation.date_formats.0."),
        ("columns", [1, "text"], "columns.0: YAML does not read this as text: quote it"),
        ("min_length", 9999, "min_length is above max_length"),
        ("max_rejected_share", 1.1, "data_validation.max_rejected_share: "),
        ("wat", 1, "data_validation.wat is not a parameter"),
    ],
)
def test_refuses_parameters_that_make_no_sense(validate, key, value, message):
    with pytest.raises(ValueError, match=r"params\.yaml") as caught:
        validate(GOOD, **{key: value})
    assert message.lower() in str(caught.value).lower()


FIELD = st.text(st.sampled_from('hamsp \t",\n\r\0é'), max_size=12)
LINES = st.lists(FIELD, min_size=1, max_size=8)


@given(lines=LINES, added=LINES, quoting=st.booleans())
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_accepted_and_rejected_are_all_that_was_read(params_file, tmp_path, lines, added, quoting):
    path = params_file({"data_validation.quoting": quoting})
    schema = read_params(path, "schema", Schema)
    params = read_params(path, "data_validation", ValidationParams)
    text, more = "\n".join(["ham\tfirst", *lines]), "\n".join(added)
    (tmp_path / "source").write_bytes(text.encode())
    (tmp_path / "additions").write_bytes(FIRST_LINE + more.encode())
    try:
        table = read_raw(tmp_path / "source", tmp_path / "additions", schema, params)
    except UserError:  # nothing but blanks in the additions, or too many NUL characters
        assume(more.strip() == "" or "\0" in more + text)
        assume(False)
    accepted, rejected = partition_rows(table, check_rows(table, schema, params), schema)
    assert len(accepted) + len(rejected) == len(table.rows) + len(table.unread)
    rows = sorted([*accepted["row"], *rejected["row"]])
    n_lines = text.removesuffix("\n").count("\n") + 1
    if not quoting:
        n_added = more.removesuffix("\n").count("\n") + bool(more)
        assert rows == list(range(1, n_lines + n_added + 1))
    elif more:
        assert n_lines + 1 in rows


HOUSES = b"""price;area;kind;state;sold;number;colour
"$1,200";70.5;flat;good;3.4.2020;007;red
900;;house ;poor;31.12.2021;12;blue
1,000;80;?;fair;;13;red
"""
TABLE = {
    "task": "regression",
    "target": "price",
    "labels": [],
    "positive": None,
    "text": [],
    "number": ["area"],
    "category": ["kind"],
    "ordinal": [{"column": "state", "order": ["poor", "fair", "good"]}],
    "date": ["sold"],
    "id": ["number"],
    "drop": ["colour"],
    "separator": ";",
    "quoting": True,
    "columns": [],
    "null_markers": ["?"],
    "thousands": ",",
    "number_signs": ["$"],
    "date_formats": [{"column": "sold", "format": "%d.%m.%Y"}],
}


def test_the_columns_of_a_table_get_their_types(validate):
    accepted, rejected, report = validate(HOUSES, **TABLE)
    names = ["price", "area", "kind", "state", "sold", "number", "row", "added"]
    assert list(accepted) == names
    assert len(rejected) == 0
    types = ["float64", "float64", "str", "str", "datetime64[us]", "str", "int64", "bool"]
    assert [str(kind) for kind in accepted.dtypes] == types
    assert accepted["price"].tolist() == [1200, 900, 1000]
    assert accepted["kind"].fillna("-").tolist() == ["flat", "house", "-"]
    assert accepted["sold"].dt.strftime("%Y-%m-%d").fillna("-").tolist() == [
        "2020-04-03",
        "2021-12-31",
        "-",
    ]
    assert accepted["number"].tolist() == ["007", "12", "13"]
    assert report["target"] == {"missing": 0, "minimum": 900, "median": 1000, "maximum": 1200}
    assert report["columns"]["area"] == {
        "kind": "number",
        "missing": 1,
        "minimum": 70.5,
        "median": 75.25,
        "maximum": 80,
    }
    assert report["columns"]["kind"] == {"kind": "category", "missing": 1, "distinct": 2}
    assert report["columns"]["sold"]["minimum"] == "2020-04-03 00:00:00"


@pytest.mark.parametrize(
    ("line", "reason", "detail"),
    [
        (";70;flat;good;;9;red", "missing target", "price: ''"),
        ("?;70;flat;good;;9;red", "missing target", "price: '?'"),
        ("cheap;70;flat;good;;9;red", "not a number", "price: 'cheap'"),
        ("inf;70;flat;good;;9;red", "infinite number", "price: 'inf'"),
        ("9;1e999;flat;good;;9;red", "infinite number", "area: '1e999'"),
        ("9;-Infinity;flat;good;;9;red", "infinite number", "area: '-Infinity'"),
        ("9;nan;flat;good;;9;red", "not a number", "area: 'nan'"),
        ("9;1,5;flat;good;;9;red", "not a number", "area: '1,5'"),
        ("9;70;flat;great;;9;red", "value not in its order", "state: 'great'"),
        ("9;70;flat;good;2020-04-03;9;red", "not a date like %d.%m.%Y", "sold: '2020-04-03'"),
        ("9;70;flat;good;31.2.2020;9;red", "not a date like %d.%m.%Y", "sold: '31.2.2020'"),
        ("9;70;flat;good;;9", "wrong number of fields", "6, expected 7"),
    ],
)
def test_rejects_a_value_that_does_not_fit_its_column(validate, line, reason, detail):
    accepted, rejected, _ = validate(HOUSES + line.encode() + b"\n", **TABLE)
    assert rejected[["row", "reason", "detail", "line"]].to_numpy().tolist() == [
        [5, reason, detail, line]
    ]
    assert accepted["row"].tolist() == [2, 3, 4]


@pytest.mark.parametrize(
    ("constraint", "row", "reason"),
    [
        ({"column": "area", "above": 70.5}, 2, "too small, above is 70.5"),
        ({"column": "area", "below": 80}, 4, "too large, below is 80"),
        ({"column": "area", "minimum": 71}, 2, "too small, minimum is 71"),
        ({"column": "area", "maximum": 79.5}, 4, "too large, maximum is 79.5"),
        ({"column": "price", "maximum": 1000}, 2, "too large, maximum is 1000"),
        ({"column": "area", "required": True}, 3, "missing value"),
        ({"column": "sold", "required": True}, 4, "missing value"),
        ({"column": "kind", "allowed": ["flat"]}, 3, "value not allowed"),
        ({"column": "number", "pattern": "[01].*"}, None, ""),
        ({"column": "number", "pattern": "[0-9]{2}"}, 2, "value not like the pattern"),
        ({"column": "state", "unique": True}, None, ""),
    ],
)
def test_rejects_a_value_that_breaks_a_constraint(validate, constraint, row, reason):
    _, rejected, _ = validate(HOUSES, **TABLE, constraints=[constraint])
    assert rejected["row"].tolist() == ([row] if row else [])
    assert rejected["reason"].tolist() == ([reason] if row else [])


def test_the_second_row_with_a_value_that_must_be_unique_is_rejected(validate):
    raw = HOUSES + b"5;6;;good;;12;red\n7;8;;good;;;red\n9;10;;good;;;red\n"
    _, rejected, _ = validate(raw, **TABLE, constraints=[{"column": "number", "unique": True}])
    assert rejected[["row", "reason", "detail"]].to_numpy().tolist() == [
        [5, "value not unique", "number: '12'"]
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"constraints": [{"column": "size", "above": 0}]}, "names the column 'size', which the"),
        ({"constraints": [{"column": "kind", "above": 0}]}, "has above for 'kind', which is not a"),
        ({"constraints": [{"column": "area", "pattern": "1"}]}, "pattern for 'area', which is a n"),
        ({"date_formats": [{"column": "kind", "format": "%d"}]}, "'kind', which is not in schema"),
        ({"leakage": {"max_score": 0.9, "allow": ["size"]}}, "allow names 'size', which the sche"),
        ({"rename": [{"column": "size", "to": "a"}]}, "it has no column 'size', only 'price', "),
        ({"number": ["area", "kind"]}, "column 'kind' is named twice: keep it in one list"),
        ({"number": ["area", "rooms"]}, "it has no column 'rooms': name each column of the data"),
        ({"drop": []}, "no list of the schema has its column 'colour': name each column"),
        (
            {"drop": [], "id": ["a", "b"]},
            "it has no column 'a', 'b'; no list of the schema has its column 'number', 'colour'",
        ),
    ],
)
def test_refuses_columns_that_do_not_exist_or_have_another_kind(validate, changes, message):
    with pytest.raises(UserError) as caught:
        validate(HOUSES, **{**TABLE, **changes})
    assert message in str(caught.value)


def test_renames_columns_first(validate):
    raw = HOUSES.replace(b"number", b"row").replace(b"area", b"group")
    renamed = [{"column": "row", "to": "number"}, {"column": "group", "to": "area"}]
    accepted, _, _ = validate(raw, b"5;6;;good;;12;red\n", **TABLE, rename=renamed)
    assert accepted["area"].fillna(0).tolist() == [70.5, 0, 80, 6]
    assert accepted["row"].tolist() == [2, 3, 4, 5]


def test_refuses_a_column_without_values(validate):
    raw = HOUSES.replace(b"70.5", b"?").replace(b"80", b"")
    with pytest.raises(UserError, match="source: all values of the column 'area' are missing: mov"):
        validate(raw, **TABLE)


FLOWERS = b"".join(
    f"{length},{name}\n".encode()
    for name, lengths in (("iris", range(9, 29)), ("rose", range(5, 25)), ("lily", range(2, 22)))
    for length in lengths
)
CLASSES = {
    **{key: value for key, value in TABLE.items() if key in {"labels", "positive", "text"}},
    "task": "multiclass",
    "target": "name",
    "number": ["length"],
    "columns": ["length", "name"],
    "separator": ",",
}


def test_a_target_of_several_labels_needs_no_list_of_them(validate):
    accepted, _, report = validate(FLOWERS, **CLASSES)
    assert list(accepted) == ["name", "length", "row", "added"]
    assert list(accepted["name"].cat.categories) == ["iris", "lily", "rose"]
    assert report["labels"]["lily"] == {"count": 20, "share": 0.333333}


def test_labels_have_the_order_of_the_schema(validate):
    labels = ["rose", "tulip", "iris"]
    accepted, rejected, _ = validate(
        FLOWERS + b"3,tulip\n", **{**CLASSES, "labels": labels, "max_rejected_share": 0.5}
    )
    assert list(accepted["name"].cat.categories) == labels
    assert rejected["detail"].unique().tolist() == ["'lily'"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"min_rows_per_label": 21}, "20 rows have the label 'iris', fewer than"),
        ({"labels": ["rose", "tulip", "lily", "iris"]}, "0 rows have the label 'tulip', fewer"),
        (
            {"task": "binary", "labels": ["rose", "iris"], "positive": "iris"},
            "'lily' in 20 (task binary has two labels, task multiclass more)",
        ),
        (
            {"task": "regression"},
            "task regression does not fit the target 'name': it is not a finite number in 60 of 60 "
            "rows, such as 'iris'",
        ),
    ],
)
def test_refuses_a_target_that_does_not_fit_the_task(validate, changes, message):
    with pytest.raises(UserError) as caught:
        validate(FLOWERS, **{**CLASSES, "max_rejected_share": 0.1, **changes})
    assert message in str(caught.value)
    assert "/source: " in str(caught.value)


def test_refuses_numbers_as_labels(validate):
    raw = b"".join(f"{i},{i * i}\n".encode() for i in range(60))
    with pytest.raises(UserError, match=r"60 different values in 60 rows: .* regression if it is"):
        validate(raw, **CLASSES)


@pytest.mark.parametrize("task", ["regression", "multiclass"])
def test_refuses_a_target_that_is_always_the_same(validate, task):
    raw = b"1,7\n2,7\n3,7\n"
    with pytest.raises(UserError, match="every row has the same value of the target 'name'"):
        validate(raw, **{**CLASSES, "task": task})


@pytest.mark.parametrize("text", ["", "?"])
def test_a_text_beside_other_features_may_be_missing(validate, text):
    raw = FLOWERS.replace(b"9,iris", b"9,iris,red") + b"7,rose," + b"x" * 2001 + b"\n"
    raw = b"\n".join(
        line if line.count(b",") == 2 else line + b"," + text.encode() for line in raw.splitlines()
    )
    changes = {"text": ["note"], "columns": ["length", "name", "note"], "null_markers": ["?"]}
    accepted, rejected, report = validate(raw, **{**CLASSES, **changes})
    assert set(accepted["note"]) == {"red", ""}
    assert report["columns"]["note"] == {"kind": "text", "missing": 58, "distinct": 1}
    assert rejected["detail"].tolist() == ["note: 2001 characters, at most 2000"]


def test_refuses_a_column_that_gives_the_target_away_unless_it_is_allowed(validate, tmp_path):
    rows = [(i * 37 % 101, i * 53 % 97) for i in range(100)]
    raw = b"".join(f"{a},{b},{a + b}\n".encode() for a, b in rows)
    changes = {**CLASSES, "task": "regression", "target": "total", "number": ["a", "b"]}
    changes["columns"] = ["a", "b", "total"]
    with pytest.raises(UserError) as caught:
        validate(raw, **changes)
    assert "/source: the sum of columns 'a' and 'b' is the target in 100.0%" in str(caught.value)
    assert "name those that are known when the model predicts in data_validation.leakage.allow" in (
        str(caught.value)
    )
    assert not (tmp_path / "output").exists()
    accepted, _, _ = validate(raw, **changes, leakage={"max_score": 0.99, "allow": ["b"]})
    assert len(accepted) == 100


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_other_formats_give_the_same_table(validate, pack):
    expected, _, report = validate(HOUSES, **TABLE)
    rows = [line.split(";") for line in HOUSES.decode().replace('"', "").splitlines()]
    objects = [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    lines = "".join(json.dumps(each) + "\n" for each in objects).encode()
    parquet = pd.DataFrame(objects).to_parquet()
    for name, raw in (("jsonl", lines), ("parquet", parquet)):
        accepted, _, other = validate(pack(raw), **{**TABLE, "format": name})
        columns = [column for column in expected if column != "row"]
        pd.testing.assert_frame_equal(accepted[columns], expected[columns])
        assert other == report


def test_shows_the_first_of_too_many_rejected_rows(validate):
    raw = HOUSES + b"cheap;70;flat;good;;9;red\n8;9;flat;great;;9;red\n"
    with pytest.raises(UserError) as caught:
        validate(raw, **TABLE, max_rejected_share=0.3)
    message = "; the first one is row 5: not a number (price: 'cheap'); every rejected row is in"
    assert message in str(caught.value)
    assert "2 of 5 rows rejected (40.0%)" in str(caught.value)


@pytest.mark.parametrize("task", ["regression", "multiclass"])
def test_refuses_a_source_without_a_valid_row(validate, task):
    raw = b"1,2,3\n" * 60
    with pytest.raises(UserError, match="source: no row is valid"):
        validate(raw, **{**CLASSES, "task": task})
    with pytest.raises(UserError, match="60 of 60 rows rejected"):
        validate(raw, **{**CLASSES, "task": task, "max_rejected_share": 0.5})
