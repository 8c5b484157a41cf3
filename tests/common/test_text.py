"""Tests of normalising text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.text import normalise_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ＦＲＥＥ", "FREE"),
        ("ﬁve", "five"),
        ("cafe\u0301", "caf\u00e9"),
        ("a\tb\nc\u00a0d\u3000e", "a b c d e"),
        ("  a   b  ", "a b"),
        ("\n", ""),
        ("", ""),
        ("WIN £500 :-)", "WIN £500 :-)"),
    ],
)
def test_brings_equal_texts_to_one_form(text, expected):
    assert normalise_text(text) == expected


def test_makes_one_blank_of_what_nfkc_turns_into_blanks():
    assert normalise_text("a\u2003\u00a8b") == "a \u0308b"


@settings(deadline=None)
@given(st.text())
def test_changes_nothing_the_second_time(text):
    once = normalise_text(text)
    assert normalise_text(once) == once


@settings(deadline=None)
@given(st.text())
def test_leaves_single_blanks_as_the_only_white_space(text):
    words = normalise_text(text).split(" ")
    assert words == [""] or all(word and word.split() == [word] for word in words)
