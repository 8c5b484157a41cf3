"""Tests of exporting corrections of tables as rows of the source."""

import gzip
import json
import math
from datetime import UTC, datetime

import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from core.params import read_params
from feedback.export import render_corrections
from feedback.source import read_source
from feedback.store import Correction
from records.schema import Schema
from records.validation_params import ValidationParams

TABLE = {
    "schema.task": "regression",
    "schema.target": "price",
    "schema.labels": [],
    "schema.positive": None,
    "schema.text": [],
    "schema.number": ["carat"],
    "schema.category": ["cut"],
    "schema.ordinal": [{"column": "size", "order": ["small", "large"]}],
    "schema.date": ["sold"],
    "schema.id": ["id"],
    "schema.drop": ["extra"],
    "data_validation.columns": ["id", "carat", "cut", "size", "sold", "extra", "price"],
    "data_validation.separator": ",",
    "data_validation.quoting": True,
}
GERMAN = {
    **TABLE,
    "data_validation.separator": ";",
    "data_validation.quoting": False,
    "data_validation.decimal": ",",
    "data_validation.thousands": ".",
    "data_validation.number_signs": ["€"],
    "data_validation.date_formats": [{"column": "sold", "format": "%d.%m.%Y"}],
    "data_validation.null_markers": ["k. A.", "-999"],
    "data_validation.encoding": "latin-1",
    "data_validation.columns": ["Nr", "Gewicht", "cut", "size", "sold", "extra", "price"],
    "data_validation.rename": [
        {"column": "Nr", "to": "id"},
        {"column": "Gewicht", "to": "carat"},
    ],
}
LINES = {**TABLE, "data_validation.format": "jsonl", "data_validation.columns": None}
KINDS = {
    **TABLE,
    "schema.task": "multiclass",
    "schema.target": "kind",
    "schema.number": ["x"],
    "schema.category": [],
    "schema.ordinal": [],
    "schema.date": [],
    "schema.id": [],
    "schema.drop": [],
    "data_validation.columns": ["x", "kind"],
}
LABELS = [f"label {number}" for number in range(100)]
ROW = {"carat": 0.5, "cut": "Ideal", "size": "small", "sold": "2024-02-29"}


def correct(row, answer, number=1):
    now = datetime.now(UTC)
    model = "diamonds", "0123456789ab"
    return Correction(number, now, row, answer, 1.5, None, *model, "accepted", now)


@pytest.fixture
def export(params_file, tmp_path):
    """Return a function that exports rows with their answers; it returns the text."""

    def call(changes, *said, raw=None):
        path = params_file(changes)
        schema = read_params(path, "schema", Schema)
        params = read_params(path, "data_validation", ValidationParams)
        source = read_source(raw or tmp_path / "raw", schema, params)
        corrections = [correct(*each, number) for number, each in enumerate(said, start=1)]
        return render_corrections(corrections, source)[0].decode(source.params.encoding)

    return call


@pytest.fixture
def refuse(export, caplog):
    """Return a function that exports one row; it must be left out, for the reason returned."""

    def call(changes, row, answer):
        with pytest.raises(ValueError, match="nothing to export"):
            export(changes, (row, answer))
        return caplog.messages[-1].removeprefix("correction 1 left out: ")

    return call


def test_writes_the_values_of_a_row_and_leaves_others_empty(export):
    rows = [
        (ROW, 12.5),
        ({**ROW, "carat": None, "cut": 'say "hi", mum', "sold": None, "id": "a7"}, 326),
    ]
    assert export(TABLE, *rows) == (
        ',0.5,Ideal,small,2024-02-29,,12.5\na7,,"say ""hi"", mum",small,,,326\n'
    )


def test_writes_values_as_the_source_does(export):
    said = [
        ({"Gewicht": 1234.5, "cut": "schön", "size": None, "sold": "2024-02-29"}, 0.1),
        ({"carat": 1e-7, "cut": None, "size": "large", "sold": "01.03.2024"}, -1e22),
    ]
    assert (
        export(GERMAN, *said)
        == ";1234,5;schön;;29.02.2024;;0,1\n;1e-07;;large;01.03.2024;;-1e+22\n"
    )


def test_a_source_of_json_lines_gets_json_lines(export, tmp_path):
    raw = tmp_path / "source"
    lines = [{"id": 1, "extra": [1, 2], "carat": 0.1}, {**ROW, "price": 2}]
    raw.write_bytes(gzip.compress("".join(json.dumps(line) + "\n" for line in lines).encode()))
    written = export(LINES, ({**ROW, "cut": "£\u2028", "id": "7"}, 9007199254740993), raw=raw)
    assert json.loads(written) == {
        **ROW,
        "id": "7",
        "extra": None,
        "cut": "£\u2028",
        "price": 9007199254740993,
    }
    assert written.startswith('{"id": "7", "extra": null, "carat": 0.5, "cut": "£')
    latin = {**LINES, "data_validation.encoding": "latin-1"}
    assert "\\u20ac" in export(latin, ({**ROW, "cut": "€"}, 1), raw=raw)


def test_a_source_of_delimited_text_may_be_compressed(export, tmp_path):
    raw = tmp_path / "source"
    header = "price,extra,id,carat,size,cut,sold\n"
    raw.write_bytes(gzip.compress(f"{header}1,,1,1,small,Ideal,2024-01-01\n".encode()))
    changes = {**TABLE, "data_validation.columns": None}
    assert export(changes, (ROW, 12), raw=raw) == "12,,,0.5,small,Ideal,2024-02-29\n"


@pytest.mark.parametrize("kind", ["parquet", "excel"])
def test_nothing_can_be_added_to_files_that_are_not_lines(export, kind):
    with pytest.raises(ValueError, match=f"source in {kind} .*: convert the source to CSV or JSON"):
        export({**TABLE, "data_validation.format": kind}, (ROW, 12))


@pytest.mark.parametrize(
    ("changes", "row", "answer", "reason"),
    [
        ({}, {**ROW, "size": "huge"}, 1, "value not in its order size: 'huge'"),
        ({}, {**ROW, "carat": "much"}, 1, "not a number carat: 'much'"),
        ({}, {**ROW, "carat": 10**39}, 1, f"number too large carat: '{10**39}'"),
        ({}, {**ROW, "sold": "2023-02-29"}, 1, "not a date sold: '2023-02-29'"),
        ({}, {"carat": 1}, 1, "it has no value of column 'cut', not even an empty one"),
        ({}, "win cash", 1, "it is a message, not a row of the schema's columns"),
        ({}, ROW, "ham", "its answer is a label, but task regression needs a number"),
        (
            {"data_validation.constraints": [{"column": "price", "above": 0}]},
            ROW,
            0,
            "too small, above is 0 price: '0'",
        ),
        (
            {"data_validation.constraints": [{"column": "id", "required": True}]},
            ROW,
            1,
            "missing value id:",
        ),
        (
            {"data_validation.number_signs": ["-"]},
            {**ROW, "carat": -0.5},
            1,
            "carat would be read as 0.5, not -0.5",
        ),
        (
            {"data_validation.null_markers": ["0.5"]},
            ROW,
            1,
            "carat would be read as missing, not 0.5",
        ),
        ({"data_validation.null_markers": ["1"]}, ROW, 1, "missing target price: '1'"),
        ({"data_validation.number_signs": ["-"]}, ROW, -2, "price would be read as 2.0, not -2.0"),
        (
            {"data_validation.quoting": False},
            {**ROW, "cut": "a,b"},
            1,
            "wrong number of fields 8, expected 7",
        ),
        ({"data_validation.quoting": False}, {**ROW, "cut": "a\nb"}, 1, "wrong number of fields 3"),
        (
            {"data_validation.date_formats": [{"column": "sold", "format": "%d.%m.%Y"}]},
            {**ROW, "sold": "2024-02-29T12:00"},
            1,
            "sold: '2024-02-29T12:00' cannot be written as %d.%m.%Y",
        ),
        ({"data_validation.encoding": "latin-1"}, {**ROW, "cut": "€"}, 1, "not in iso8859-1"),
    ],
)
def test_what_does_not_fit_is_left_out_and_named(refuse, changes, row, answer, reason):
    assert refuse({**TABLE, **changes}, row, answer).startswith(reason)


def test_one_that_does_not_fit_does_not_keep_others_out(export):
    bad = {**ROW, "size": "huge"}
    assert export(TABLE, (bad, 1), (ROW, 2), (bad, 3)).count("\n") == 1


def test_the_newest_correction_of_equal_inputs_wins(export):
    said = [
        ({**ROW, "carat": 0.5, "sold": "2024-02-29T00:00"}, 1),
        ({**ROW, "carat": None}, 2),
        ({**ROW, "carat": 0.50, "cut": " Ideal "}, 3),
        ({**ROW, "carat": 5e-1}, 4),
        ({**ROW, "carat": None}, 5),
        ({**ROW, "carat": "much"}, 6),
    ]
    assert [line.rpartition(",")[2] for line in export(TABLE, *said).splitlines()] == ["4", "5"]


def test_texts_that_are_equal_once_normalised_are_one(export):
    changes = {**TABLE, "schema.text": ["cut"], "schema.category": []}
    said = [({**ROW, "cut": "call  me"}, 1), ({**ROW, "cut": "ｃall\nme"}, 2)]
    assert export(changes, *said) == ",0.5,ｃall me,small,2024-02-29,,2\n"


@pytest.mark.parametrize("label", ["rose", " red "])
def test_a_label_is_one_of_those_that_the_schema_has(export, refuse, label):
    changes = {**KINDS, "schema.labels": ["red", "white", "green"]}
    if label == "rose":
        assert refuse(changes, {"x": 1}, label) == "unknown label 'rose'"
    else:
        assert export(changes, ({"x": 1}, label)) == "1, red \n"
    assert "needs a label" in refuse(changes, {"x": 1}, 2)


def test_a_new_label_is_allowed_with_a_warning_where_the_schema_names_none(
    export, tmp_path, caplog
):
    raw = tmp_path / "source"
    raw.write_text("1,red\n2, white \n")
    said = [({"x": 1}, "red"), ({"x": 2}, "white"), ({"x": 3}, "sparkling\x1b")]
    assert export(KINDS, *said, raw=raw) == "1,red\n2,white\n3,sparkling\x1b\n"
    new = [message for message in caplog.messages if "new" in message]
    assert new == ["correction 3 has the label 'sparkling\\x1b', which is new: check its spelling"]
    assert export(KINDS, *said, raw=tmp_path / "nowhere").count("\n") == 3


@pytest.mark.parametrize("labels", [[], LABELS], ids=["any label", "those of the schema"])
def test_there_may_be_as_many_labels_as_rows(export, labels):
    said = [({"x": number}, label) for number, label in enumerate(LABELS)]
    assert export({**KINDS, "schema.labels": labels}, *said).count("\n") == 100


NUMBERS = st.one_of(
    st.none(), st.integers(-(2**70), 2**70), st.floats(-1e38, 1e38, allow_subnormal=True)
)
WORDS = st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@pytest.mark.parametrize("changes", [TABLE, GERMAN, LINES], ids=["csv", "german", "jsonl"])
@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(carat=NUMBERS, cut=WORDS, answer=NUMBERS.filter(lambda number: number is not None))
@example(carat=0.1, cut="k. A.", answer=9007199254740993)
@example(carat=-999, cut="-999", answer=0.1)
@example(carat=1, cut='"', answer=1)
@example(carat=1, cut="\ufeff\r\n", answer=1)
def test_what_is_exported_is_read_as_it_was_sent(
    params_file, tmp_path, changes, carat, cut, answer
):
    """Property: a row is left out, or the source's reader finds the values that were sent."""
    from feedback.rows import pick_row, type_rows
    from records.checks import check_rows
    from records.reading import READERS, select_columns

    raw = tmp_path / "lines"
    raw.write_text(json.dumps({**ROW, "id": "", "extra": "", "price": 1}))
    path = params_file(changes)
    schema = read_params(path, "schema", Schema)
    source = read_source(raw, schema, read_params(path, "data_validation", ValidationParams))
    said = correct({**ROW, "carat": carat, "cut": cut}, answer)
    try:
        content, _ = render_corrections([said], source)
    except ValueError:
        return
    table = READERS[source.params.format](content, source.columns, schema, source.params)
    checked = check_rows(select_columns(table, schema, source.params), schema, source.params)
    [price], [mass] = checked.columns["price"], checked.columns["carat"]
    assert price == float(answer)
    typed, _ = type_rows([pick_row(said, source)], source)
    typed = typed.reset_index(drop=True)
    pd.testing.assert_frame_equal(checked.columns[typed.columns], typed, check_dtype=False)
    is_null = carat is None or str(carat) in source.params.null_markers
    assert math.isnan(mass) if is_null else mass == float(carat)
