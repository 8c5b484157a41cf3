"""Tests of deciding what columns are."""

import pandas as pd
import pytest

from core.errors import UserError
from records.inference import Decision, infer

N = 40


def decide(values, name="x", **options):
    """Return what is decided about a column of a table with a label and another feature."""
    return look(values, name, **options).columns[name]


def look(values, name="x", **options):
    n = len(values)
    # In an order that no other column follows.
    labels = ["a" if i * i % 11 < 5 else "b" for i in range(n)]
    table = pd.DataFrame({name: values, "other": [str(i % 7) for i in range(n)], "label": labels})
    return infer(table.replace("", None).astype("str"), "label", **options)


def look_at_target(values, **options):
    table = pd.DataFrame({"y": values, "x": [str(i % 7) for i in range(len(values))]})
    return infer(table.replace("", None).astype("str"), "y", **options).target


def make_table(**columns):
    return pd.DataFrame(columns).replace("", None).astype("str")


@pytest.mark.parametrize(
    ("values", "kind", "why"),
    [
        (["same"] * N, "drop", "every row has same"),
        ([""] * N, "drop", "no row has a value"),
        ([" "] * N, "drop", "no row has a value"),
        ([f"{i % 9:03}" for i in range(N)], "category", "leading zeros"),
        ([str(i) for i in range(N)], "id", "count the rows"),
        ([str(i + 1) for i in range(N)], "id", "count the rows"),
        ([str(i * 3) for i in range(N)], "number", "40 numbers"),
        ([str(i / 4) for i in range(N - 1)] + [""], "number", "1 missing"),
        (["1e-3", "-2.5E4", ".5", "+7."] * 10, "number", "40 numbers"),
        ([f"2024-01-{i % 28 + 1:02}" for i in range(N)], "date", "ISO 8601"),
        ([f"2024-01-{i % 28 + 1:02} 10:00:00" for i in range(N)], "date", "ISO 8601"),
        ([f"{i % 28 + 1}.1.2024" for i in range(N)], "date", "%d.%m.%Y"),
        ([f"{i % 28 + 1}/01/2024" for i in range(N)], "date", "%d/%m/%Y"),
        ([f"01/{i % 28 + 1}/24" for i in range(N)], "date", "%m/%d/%y"),
        ([f"{i % 28 + 1} Mar 2024" for i in range(N)], "date", "%d %b %Y"),
        ([f"word {i} and more" for i in range(N)], "text", "4.0 words on average"),
        (["red", "green", "red", "blue"] * 10, "category", "3 values"),
        (["a long answer here", "another long answer"] * 200, "category", "2 values"),
        ([f"key-{i}" for i in range(N)], "id", "too many for a category"),
    ],
)
def test_the_first_rule_that_matches_decides(values, kind, why):
    found = decide(values)
    assert found.kind == kind
    assert why in found.evidence


@pytest.mark.parametrize(
    "name", ["id", "Id", "user_id", "userId", "PassengerId", "key", "Unnamed: 0"]
)
def test_different_values_with_the_name_of_an_id_are_one(name):
    assert decide([str(i * 7) for i in range(N)], name).kind == "id"
    assert decide([str(i % 5) for i in range(N)], name).kind == "number"


@pytest.mark.parametrize("name", ["width", "paid", "humidity", "valid"])
def test_words_that_end_in_id_are_no_ids(name):
    assert decide([str(i * 7) for i in range(N)], name).kind == "number"


def test_padded_ids_are_ids():
    assert decide([f"{i:05}" for i in range(N)], "customer_id").kind == "id"


@pytest.mark.parametrize(
    ("values", "style"),
    [
        (["1,234.5", "12,000", "3.25", "7"] * 10, (".", ",", ())),
        (["1.234,5", "12.000", "3,25", "7"] * 10, (",", ".", ())),
        (["0,5", "1,25", "3", "2,75"] * 10, (",", "", ())),
        (["1 234,5", "12 000", "3,2", "1"] * 10, (",", " ", ())),
        (["1'234.5", "12'000", "3.2", "1"] * 10, (".", "'", ())),
        (["$1.50", "$2", "$ 3.25", "-$4"] * 10, (".", "", ("$",))),
        (["15 %", "20%", "3.5%", "4"] * 10, (".", "", ("%",))),
        (["3,50 €", "1.200,00 €", "4 €", "0,75 €"] * 10, (",", ".", ("€",))),
    ],
)
def test_finds_how_numbers_are_written(values, style):
    found = look(values)
    assert found.columns["x"].kind == "number"
    assert (found.style.decimal, found.style.thousands, found.style.signs) == style


def test_a_comma_is_the_decimal_sign_where_semicolons_separate():
    values = ["1,234", "2,345", "3,456", "4,567"] * 10
    assert look(values, separator=";").style.decimal == ","
    assert look(values, separator=",").style.thousands == ","


@pytest.mark.parametrize("marker", ["NA", "?", "-", "n/a", "unknown", "inf", "NULL"])
def test_finds_null_markers_among_numbers(marker):
    found = look([str(i * 3) for i in range(N - 2)] + [marker] * 2)
    assert found.columns["x"].kind == "number"
    assert found.null_markers == [marker]


def test_finds_null_markers_among_dates():
    found = look([f"2024-02-{i % 28 + 1:02}" for i in range(N - 2)] + ["NA"] * 2)
    assert found.columns["x"].kind == "date"
    assert found.null_markers == ["NA"]


def test_a_word_among_numbers_makes_a_category():
    assert decide(["1", "2", "3", "many"] * 10).kind == "category"


def test_a_label_is_no_null_marker():
    table = pd.DataFrame({"y": ["NA", "EU"] * 20, "x": ["1", "NA", "3", "5", "9"] * 8})
    found = infer(table.astype("str"), "y")
    assert found.target.labels == ["EU", "NA"]
    assert found.null_markers == []


def test_dates_that_could_be_two_are_asked_for():
    values = [f"0{i % 9 + 1}/0{i % 7 + 1}/2024" for i in range(N)]
    with pytest.raises(UserError, match="day and month cannot be told apart") as error:
        decide(values)
    assert "--date-format 'x=%d/%m/%Y'" in error.value.fix
    found = decide(values, asked={"x": "%d/%m/%Y"})
    assert (found.kind, found.date_format) == ("date", "%d/%m/%Y")


def test_a_date_format_that_does_not_fit_is_refused():
    with pytest.raises(UserError, match=r"'2024-01-05' does not have the date format"):
        decide(["2024-01-05"] * 20 + ["2024-02-05"] * 20, asked={"x": "%d/%m/%Y"})


@pytest.mark.parametrize(
    ("values", "task", "labels", "positive"),
    [
        (["ham", "ham", "spam"] * 10, "binary", ["ham", "spam"], "spam"),
        (["0", "0", "1"] * 10, "binary", ["0", "1"], "1"),
        (["yes", "no"] * 15, "binary", ["no", "yes"], "yes"),
        (["a", "b", "c"] * 10, "multiclass", ["a", "b", "c"], None),
        ([str(i / 3) for i in range(30)], "regression", [], None),
        ([str(i) for i in range(60)], "regression", [], None),
        (["1.5", "2.5", "3.5"] * 10, "regression", [], None),
    ],
)
def test_the_target_decides_the_task(values, task, labels, positive):
    found = look_at_target(values)
    assert (found.task, found.labels, found.positive) == (task, labels, positive)


def test_the_positive_label_can_be_named():
    found = look_at_target(["ham", "ham", "spam"] * 10, positive="ham")
    assert (found.labels, found.positive) == (["spam", "ham"], "ham")


def test_few_whole_numbers_are_asked_about():
    values = ["3", "4", "5"] * 10
    with pytest.raises(UserError, match="3 different whole numbers, from 3 to 5") as error:
        look_at_target(values)
    assert "TASK=multiclass or TASK=regression" in error.value.fix
    assert look_at_target(values, task="regression").labels == []
    assert look_at_target(values, task="multiclass").labels == ["3", "4", "5"]


def test_rows_without_a_target_are_not_used():
    found = look_at_target(["1.5", "2.25", "", "NA", "7.75"] * 10)
    assert found.task == "regression"
    assert found.is_used.tolist() == [True, True, False, False, True] * 10


def test_rare_labels_are_left_out_and_named():
    found = look_at_target(["a", "b"] * 20 + ["c", "c"])
    assert found.labels == ["a", "b"]
    assert found.evidence["labels"] == "left out, fewer than 10 rows each: c"
    assert found.is_used.sum() == 40


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        (["a"] * 20, {}, "every row has the same value"),
        ([""] * 20, {}, "no row has a value"),
        (["a", "b", "c"] * 10, {"task": "binary"}, "needs two labels"),
        (["a", "b"] * 10, {"task": "regression"}, "needs numbers"),
        (["a", "b"] * 10, {"positive": "c"}, "no label 'c'"),
        (["a", "b", "c"] * 10, {"positive": "c"}, "has no positive label"),
        (["1.5", "2.5", "3.5"] * 10, {"positive": "c"}, "has no positive label"),
        (["a"] * 20 + ["b"], {}, "at least 10 rows each"),
        ([f"v{i}" for i in range(300)], {}, "300 different values"),
    ],
)
def test_a_target_that_does_not_fit_is_one_sentence(values, options, message):
    with pytest.raises(UserError, match=message):
        look_at_target(values, **options)


def test_a_missing_target_is_named_with_all_columns():
    with pytest.raises(UserError, match="there is no column 'price', only y, x"):
        infer(pd.DataFrame({"y": ["1"], "x": ["2"]}, dtype="str"), "price")


def test_names_that_the_pipeline_uses_are_changed():
    table = pd.DataFrame(
        {
            "group": ["u", "v", "w", "v", "u"] * 8,
            "text": [f"some words of {i}" for i in range(40)],
            "text_tokens": [str(i * 3) for i in range(40)],
            "row": ["a", "b"] * 20,
        },
        dtype="str",
    )
    found = infer(table, "row")
    assert found.rename == {
        "row": "row_value",
        "group": "group_value",
        "text_tokens": "text_tokens_value",
    }
    assert found.list_columns("category") == ["group_value"]


def test_messages_of_few_words_are_a_text_if_there_is_nothing_else():
    table = pd.DataFrame({"y": ["a", "b"] * 20, "x": [f"word{i} more" for i in range(40)]})
    assert infer(table.astype("str"), "y").columns["x"].kind == "text"


def test_a_table_without_features_is_refused():
    table = pd.DataFrame({"y": ["a", "b"] * 20, "id": [str(i) for i in range(40)]}, dtype="str")
    with pytest.raises(UserError, match=r"no column can be a feature: id \(id\)"):
        infer(table, "y")


def test_what_means_missing_among_numbers_is_no_label():
    table = make_table(x=["1", "2.5", "?", "4"] * 20, y=["good", "bad", "?", "bad", "good"] * 16)
    found = infer(table, "y")
    assert found.target.labels == ["bad", "good"]
    assert found.null_markers == ["?"]


def test_a_label_may_be_what_means_missing_elsewhere():
    table = make_table(x=["1", "2.5", "NA", "4"] * 20, y=["NA", "NA", "", "EU", "NA"] * 16)
    found = infer(table, "y")
    assert found.target.labels == ["NA", "EU"]
    assert found.null_markers == []


def test_columns_with_few_values_are_left_out():
    table = make_table(
        x=["1", "2.5"] * 40,
        few=[""] * 77 + ["7", "8.5", "9"],
        y=["good", "bad", "fair", "bad"] * 20,
    )
    assert infer(table, "y").columns["few"] == Decision("drop", "only 3 rows have a value")
