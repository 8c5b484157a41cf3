"""Tests of disguising messages."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.attacks import LETTERS, LOOK_ALIKES, list_attacks
from text.normalise import normalise_text

HAM = ["see you at home", "home soon :)", "call you later :)", ":)"]
SPAM = ["call now", "free prize now"]
ATTACKS = list_attacks(HAM, SPAM)
TEXT = "Win a FREE prize, call 09061701461 or see www.win.com now"


def attack(name, amount=1.0, text=TEXT, seed=0):
    return ATTACKS[name](text, np.random.default_rng(seed), amount)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("look_alikes", "Free 4 u", "Ϝⲅее 4 ս"),
        ("spaced_text", "win it", "w i n   i t"),
        ("spaced_words", "win it", "w i n i t"),
        ("pointed_letters", "win it 4u", "w.i.n i.t 4u"),
        ("leetspeak", "Best toilets", "8357 701l375"),
        ("best_good_words", "win", "win home you"),
        ("no_contacts", TEXT, "Win a FREE prize, call  or see  now"),
        ("no_contacts", "T&C 4403 ends 31", "T&C  ends 31"),
        ("upper_case", "Win it", "WIN IT"),
        ("lower_case", "Win It", "win it"),
        ("mixed_case", "Win It", "wIN iT"),
        ("full_width", "Win 5!", "Ｗｉｎ ５！"),
        ("mathematical", "Az", "𝐀𝐳"),
        ("accents", "no", "ñö"),
    ],
)
def test_changes_what_its_name_says(name, text, expected):
    amount = 2 if name == "best_good_words" else 1
    assert attack(name, amount, text) == expected


@pytest.mark.parametrize("name", ATTACKS)
def test_the_same_generator_gives_the_same_text(name):
    amount = 3 if name.endswith("good_words") else 0.5
    assert attack(name, amount) == attack(name, amount)


@pytest.mark.parametrize(
    "name", ["some_look_alikes", "zero_width", "some_spaced_words", "typos", "mixed_case", "emoji"]
)
def test_the_amount_is_a_share(name):
    text = " ".join([TEXT] * 20)
    changed = [attack(name, amount, text) for amount in (0, 0.3, 1)]
    assert changed[0] == text
    shares = [sum(a != b for a, b in zip(text, new, strict=False)) for new in changed[1:]]
    assert all(shares)
    assert len({*changed}) == 3


def test_zero_width_characters_show_nothing():
    assert len(attack("zero_width", 0.5)) > len(TEXT)
    assert normalise_text(attack("zero_width", 0.5)) == TEXT


def test_a_typing_error_is_inside_a_long_word():
    words = attack("typos", text="to my station 80062 station").split()
    assert words[:2] == ["to", "my"]
    assert words[3] == "80062"
    for word in (words[2], words[4]):
        assert word != "station"
        assert (word[0], word[-1]) == ("s", "n")
        assert abs(len(word) - len("station")) <= 1


def test_appends_as_many_words_as_asked_for():
    assert len(attack("random_good_words", 20).split()) == len(TEXT.split()) + 20
    assert set(attack("random_good_words", 20, "").split()) <= set(" ".join(HAM).split())


def test_every_letter_has_a_look_alike_that_is_not_ascii():
    assert set(LOOK_ALIKES) == set(LETTERS)
    assert not any(likeness.isascii() for likeness in LOOK_ALIKES.values())


@pytest.mark.parametrize("name", ATTACKS)
@given(text=st.text(max_size=30), amount=st.sampled_from([0, 0.5, 1]))
def test_any_text_can_be_attacked(name, text, amount):
    assert isinstance(attack(name, amount, text), str)
