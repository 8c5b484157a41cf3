"""Tests of normalising text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from text.normalise import count_normalised, normalise_text


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
def test_normalises(text, expected):
    assert normalise_text(text) == expected


def test_makes_one_blank_of_what_nfkc_turns_into_blanks():
    assert normalise_text("a\u2003\u00a8b") == "a \u0308b"


@settings(deadline=None)
@given(st.text())
def test_normalising_twice_changes_nothing(text):
    once = normalise_text(text)
    assert normalise_text(once) == once


@settings(deadline=None)
@given(st.text())
def test_leaves_single_blanks_as_the_only_white_space(text):
    words = normalise_text(text).split(" ")
    assert words == [""] or all(word and word.split() == [word] for word in words)


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_counts_what_normalising_makes(text):
    found = count_normalised(text, 10_000)
    # White space at the ends is counted, and pieces are not joined.
    assert found >= len(normalise_text(text))
    assert found <= 18 * len(text)


def test_counting_stops_at_the_limit():
    assert 100 < count_normalised("\ufdfa" * 100_000, 100) < 10_000


@pytest.mark.parametrize("marks", ["\u0300\u0316", "\u0300\uff9e", "\u0f73\u0300", "\u0344\u0316"])
def test_keeps_thirty_marks_of_a_run(marks):
    normal = normalise_text("a" + marks * 50_000 + "b")
    assert len(normal) <= 32
    assert normal.endswith("b")
    assert normalise_text(normal) == normal


@given(
    st.lists(
        st.sampled_from(["\u0300", "\u0316", "\uff9e", "\u0f73", "\u0344", "a", "ㄱ", "ﷺ", " "]),
        max_size=120,
    ).map("".join)
)
def test_normalising_twice_changes_nothing_with_many_marks(text):
    assert normalise_text(normalise_text(text)) == normalise_text(text)


def test_keeps_marks_that_are_in_order():
    text = "a" + "\u0300" * 100
    assert normalise_text("\u0316" + text).startswith("\u0316")
    assert normalise_text("x" + "\u0316" * 100) == "x" + "\u0316" * 100
