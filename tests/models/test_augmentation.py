"""Tests of copying training messages with good words."""

import numpy as np
import pytest

from core.errors import UserError
from core.params import check_section
from models.augmentation import AugmentationParams, append_good_words

# Two folds, the words of one in lower case, those of the other in capitals.
TEXTS = ["see you", "see mum home", "free cash", "SEE DAD", "AT HOME", "WIN CASH"]
IS_POSITIVE = np.array([False, False, True] * 2)
FOLDS = np.array([0, 0, 0, 1, 1, 1])
PARAMS = AugmentationParams(enabled=True, min_words=3, max_words=5, most_typical=1)


def append(random_state=0):
    return append_good_words(TEXTS, IS_POSITIVE, FOLDS, PARAMS, random_state)


def test_every_message_has_two_copies_with_words_appended():
    copies, origins = append()
    assert sorted(origins) == sorted([*range(6)] * 2)
    for copy, origin in zip(copies, origins, strict=True):
        assert copy.startswith(TEXTS[origin] + " ")
        appended = copy.removeprefix(TEXTS[origin]).split()
        assert 3 <= len(appended) <= 5


def test_the_words_are_those_of_negative_messages_of_the_same_fold():
    for copy, origin in zip(*append(), strict=True):
        appended = set(copy.removeprefix(TEXTS[origin]).split())
        fold = range(3) if origin < 3 else range(3, 6)
        words = {word for row in fold if not IS_POSITIVE[row] for word in TEXTS[row].split()}
        assert appended <= words | {word.lower() for word in words}


def test_one_of_the_copies_has_the_most_typical_words_alone():
    appended = [set(c.removeprefix(TEXTS[o]).split()) for c, o in zip(*append(), strict=True)]
    assert [words for words in appended if words == {"see"}]


def test_the_same_seed_gives_the_same_copies():
    assert append()[0] == append()[0]
    assert append()[0] != append(1)[0]


def test_the_least_number_of_words_is_not_above_the_largest():
    section = {"enabled": True, "min_words": 3, "max_words": 2, "most_typical": 1}
    with pytest.raises(UserError, match="min_words is above max_words"):
        check_section({"augmentation": section}, "augmentation", AugmentationParams, "params.yaml")


def test_without_words_of_letters_both_copies_get_any_words():
    copies, origins = append_good_words(["#1 2u", "win"], IS_POSITIVE[1:3], FOLDS[:2], PARAMS, 0)
    assert sorted(origins) == [0, 0, 1, 1]
    assert {word for copy in copies for word in copy.split()} == {"#1", "2u", "win"}
