"""Tests of finding words that are typical of one class."""

from text.good_words import rank_good_words


def test_good_words_are_those_that_negative_texts_have_most_and_positive_ones_least():
    negative = ["see you at home", "home soon :)", "CALL you later :)", ":)"]
    found = rank_good_words(negative, ["call now", "free prize now"])
    assert found[:2] == ["home", "you"]
    assert found[-1] == "call"
    assert ":)" not in found
