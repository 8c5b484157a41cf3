"""Tests of writing YAML that all readers read alike."""

import io

import pytest
import ruamel.yaml
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from core.params import Yaml12Loader
from core.yaml_text import format_optional, format_value

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(TEXTS)
@example("no")
@example("1e5")
@example("12:30")
@example("0x1F")
@example("a # b")
@example("\u2028\x85\x7f\ufeff\ud7ff\U0001f600")
@example("x: y")
@example("")
def test_every_text_is_read_as_it_was(text):
    line = f"key: {format_value(text)}\n"
    assert line.count("\n") == 1
    assert yaml.load(line, Loader=Yaml12Loader) == {"key": text}
    assert yaml.safe_load(line) == {"key": text}
    assert ruamel.yaml.YAML(typ="safe").load(io.StringIO(line)) == {"key": text}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ([], " []"),
        (["a", "b c"], " [a, b c]"),
        (True, " true"),
        (0.05, " 0.05"),
        ({"C": 100}, " {C: 100}"),
        ([{"column": "x", "to": "y z"}], " [{column: x, to: y z}]"),
        (
            ["long name " * 5, "b" * 40],
            '\n  - "long name long name long name long name long name "\n  - ' + "b" * 40,
        ),
    ],
)
def test_values_after_a_key(value, text):
    assert format_optional(value) == text
    assert yaml.load(f"s:\n  key:{text}\n", Loader=Yaml12Loader) == {"s": {"key": value}}
