"""Tests of numbers that describe how a message is written."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from text.statistics import PATTERNS, count_patterns, count_text, name_patterns


def count(pattern, text):
    return round(np.expm1(count_patterns([text])[0, list(PATTERNS).index(pattern)]))


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("characters", "", 0),
        ("characters", "a b\nc", 5),
        ("characters", "£€😀", 3),
        ("digits", "call 08 on 7/7", 4),
        ("digits", "none", 0),
        ("capitals", "WIN a Prize", 4),
        ("capitals", "win", 0),
        ("currency_signs", "£5 or $5 or €5, ¥5, ₹5", 5),
        ("currency_signs", "5 pounds", 0),
        ("urls", "see http://a.de/x and HTTPS://B.ORG", 2),
        ("urls", "www.example.xyz", 1),
        ("urls", "go to Winner.CO.UK or my-prize.com", 2),
        ("urls", "commerce.community home.", 0),
        ("phone_numbers", "call 09061701461 now", 1),
        ("phone_numbers", "+44 (0)20 7946-0958", 1),
        ("phone_numbers", "txt 80062 or 12345", 2),
        ("phone_numbers", "in 2024 at 12:30", 0),
        ("phone_numbers", "1234567890123456", 0),
    ],
)
def test_counts_a_pattern(pattern, text, expected):
    assert count(pattern, text) == expected


def test_takes_the_logarithm_of_one_more_than_the_count():
    counts = count_patterns(["AB1"])
    assert counts[0] == pytest.approx(np.log([4, 2, 3, 1, 1, 1]))


def test_gives_a_row_for_each_text():
    assert count_patterns(["a", "b", "c"]).shape == (3, 6)


def test_gives_no_row_for_no_text():
    assert count_patterns([]).shape == (0, 6)


def test_takes_texts_one_at_a_time():
    assert count_patterns(text for text in ["a", "b"]).shape == (2, 6)


def test_names_a_column_for_each_pattern():
    assert name_patterns(None, None) == [
        "characters",
        "digits",
        "capitals",
        "currency_signs",
        "urls",
        "phone_numbers",
    ]


@settings(deadline=None, max_examples=500)
@given(
    st.lists(
        st.sampled_from(
            ["http://a", "HTTPS://", "www.", "WwW.a", ".com", ".CO.uk", "x.Org", "a.info", ".BIZ"]
        )
        | st.sampled_from(["09061701461", "+44 (0)20", "£", "€5", "$", " ", "\u0661", "ſ"])
        | st.text(st.characters() | st.sampled_from("aZ.$1 \ud800"), max_size=5)
    ).map("".join)
)
def test_counts_all_matches_of_each_pattern(text):
    assert count_text(text) == [len(pattern.findall(text)) for pattern in PATTERNS.values()]
