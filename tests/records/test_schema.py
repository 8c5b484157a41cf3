"""Tests of the schema of a data set."""

import pytest
import yaml

from core.params import read_params
from records.schema import Schema, read_message_schema
from tests.support.schemas import MESSAGES, make_schema


def test_each_column_has_its_kind():
    schema = make_schema(
        number=["price"],
        ordinal=[{"column": "cut", "order": ["Fair", "Ideal"]}],
        date=["sold"],
        id=["number"],
        drop=["remark"],
    )
    assert schema.features == ["text", "price", "cut", "sold"]
    assert schema.kinds["cut"] == "ordinal"
    assert schema.kinds["number"] == "id"
    assert "label" not in schema.kinds
    assert not schema.is_messages
    assert MESSAGES.is_messages


@pytest.mark.parametrize("labels", [["ham", "spam"], ["spam", "ham"]])
def test_the_positive_label_is_last(labels):
    schema = make_schema(labels=labels)
    assert schema.classes == ["ham", "spam"]
    assert schema.label_pair.negative == "ham"


def test_labels_of_more_than_two_keep_their_order():
    schema = make_schema(task="multiclass", labels=["c", "a", "b"])
    assert schema.classes == ["c", "a", "b"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"number": ["text"]}, "column 'text' is named twice: keep it in one list"),
        ({"drop": ["label"]}, "column 'label' is named twice"),
        ({"text": []}, "no column is a feature: add one to text, number, category or date"),
        ({"category": ["group"]}, "'group' has a name that the pipeline uses: .*rename"),
        ({"number": ["first_target"]}, "'first_target' has a name that the pipeline uses"),
        ({"number": ["text_tokens"]}, "'text_tokens' has a name that the pipeline uses"),
        ({"labels": ["ham", "ham"]}, "labels names 'ham' twice"),
        ({"labels": ["ham", "spam", "x"]}, "task binary needs two labels"),
        ({"positive": "eggs"}, "positive must be one of them"),
        ({"task": "regression"}, r"task regression has no labels: set labels: \[\]"),
        (
            {"ordinal": [{"column": "cut", "order": ["Fair", "Fair"]}]},
            "the order of 'cut' names 'Fair' twice",
        ),
        ({"labels": [0, "spam"]}, r"schema\.labels\.0: .AML does not read this as text: quote it"),
        ({"task": "ranking"}, "schema.task: "),
    ],
)
def test_refuses_a_schema_that_contradicts_itself(tmp_path, changes, message):
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump({"schema": MESSAGES.model_dump() | changes}))
    with pytest.raises(ValueError, match=message) as caught:
        read_params(path, "schema", Schema)
    assert "params.yaml: schema" in str(caught.value)


def test_a_reserved_name_may_be_dropped():
    assert make_schema(drop=["group"]).features == ["text"]


def test_another_task_needs_no_other_change(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump({"schema": MESSAGES.model_dump() | {"task": "multiclass"}}))
    schema = read_params(path, "schema", Schema)
    assert (schema.classes, schema.positive) == (["ham", "spam"], None)
    with pytest.raises(ValueError, match="task multiclass and the features text: messages are"):
        read_message_schema(path)
