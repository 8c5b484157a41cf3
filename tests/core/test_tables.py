"""Tests of tables as Parquet and CSV."""

import pandas as pd
import pytest

from core.errors import UserError
from core.tables import read_table, write_csv, write_table


def make_messages(categories=("ham", "spam")):
    label = pd.Categorical.from_codes([len(categories) - 1, 0], categories)
    return pd.DataFrame({"label": label, "text": ["win £5", "hi, you"], "row": [1, 2]})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "messages.parquet"


def test_reads_what_was_written(path):
    write_table(make_messages(), path)
    pd.testing.assert_frame_equal(read_table(path, ["label", "text", "row"]), make_messages())


def test_reads_the_named_columns_in_their_order(path):
    write_table(make_messages(), path)
    assert list(read_table(path, ["row", "text"])) == ["row", "text"]


@pytest.mark.parametrize("categories", [["ham", "spam"], ["spam", "ham"]])
def test_keeps_the_order_of_the_labels(path, categories):
    write_table(make_messages(categories), path)
    assert list(read_table(path, ["label"])["label"].cat.categories) == categories


def test_keeps_both_labels_where_the_rows_have_one(path):
    write_table(make_messages().iloc[:1], path)
    assert list(read_table(path, ["label"])["label"].cat.categories) == ["ham", "spam"]


def test_leaves_the_index_out(path):
    write_table(make_messages().set_index(pd.Index([7, 8])), path)
    assert list(read_table(path, ["row"]).index) == [0, 1]


def test_equal_tables_give_equal_bytes(path):
    contents = []
    for df in (make_messages(), make_messages().set_index(pd.Index([7, 8]))):
        write_table(df, path)
        contents.append(path.read_bytes())
    assert contents[0] == contents[1]


def test_names_a_missing_file(path):
    with pytest.raises(UserError, match=r"messages\.parquet does not exist: run"):
        read_table(path, ["label"])


def test_names_a_missing_column(path):
    write_table(make_messages(), path)
    with pytest.raises(ValueError, match="no column 'group', only label, text, row"):
        read_table(path, ["label", "group"])


@pytest.mark.parametrize("share", [0, 0.5, 0.99])
def test_names_a_damaged_file(path, share):
    write_table(make_messages(), path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"messages\.parquet is not a readable Parquet file"):
        read_table(path, ["label"])


def test_names_a_file_of_another_kind(path):
    write_csv(make_messages(), path)
    with pytest.raises(ValueError, match="not a readable Parquet file"):
        read_table(path, ["label"])


def test_writes_csv_in_utf_8_with_unix_line_ends(tmp_path):
    write_csv(make_messages(), tmp_path / "messages.csv")
    expected = 'label,text,row\nspam,win £5,1\nham,"hi, you",2\n'
    assert (tmp_path / "messages.csv").read_bytes() == expected.encode()
