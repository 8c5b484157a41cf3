"""Tests of the table of look-alikes and of the tool that made it."""

import string
import unicodedata
from pathlib import Path

from benchmarks.tools.make_look_alikes import find_look_alikes, format_module
from text import look_alikes


def test_the_module_is_what_the_tool_prints():
    table = {chr(code): likeness for code, likeness in look_alikes.LOOK_ALIKES.items()}
    assert Path(look_alikes.__file__).read_text() == format_module(table)


def test_other_letters_that_nfkc_leaves_are_each_replaced_by_one_ascii_letter():
    letters = "".join(letters for letters, _ in look_alikes.PAIRS)
    assert len(letters) == len(set(letters)) == len(look_alikes.LOOK_ALIKES)
    assert letters.isalpha()
    assert not any(map(str.isascii, letters))
    assert all(unicodedata.is_normalized("NFKC", letter) for letter in letters)
    assert set(look_alikes.LOOK_ALIKES.values()) <= set(string.ascii_letters)


def test_finds_single_letters_that_look_like_ascii_letters():
    confusables = {
        "а": [{"c": "a"}],
        "ѡ": [{"c": "ɯ"}, {"c": "w"}],
        "І": [{"c": "l"}],
        "ӏ": [{"c": "i"}],
        "ı": [{"c": "i"}],
        "𝐚": [{"c": "a"}],
        "×": [{"c": "x"}],
        "ж": [{"c": "җ"}],
        "a": [{"c": "а"}],
        "ю": [{"c": "lo"}],
    }
    assert find_look_alikes(confusables) == {"І": "I", "а": "a", "ѡ": "w", "ӏ": "i"}
