"""Tests of the compact set of trigrams."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.trigrams import MAX_BITS, MIN_TRIGRAMS, learn_trigrams, read_trigrams

TEXTS = st.lists(st.text(max_size=30), max_size=8)


@given(TEXTS)
def test_nothing_of_the_training_texts_is_unseen(texts):
    assert not learn_trigrams(texts).measure_unseen(texts).any()


@given(TEXTS, TEXTS)
def test_a_set_is_the_same_after_it_is_written_and_read(texts, others):
    learned = learn_trigrams(texts)
    read = read_trigrams(learned.write())
    assert np.array_equal(read.is_seen, learned.is_seen)
    assert np.array_equal(read.measure_unseen(others), learned.measure_unseen(others))


@given(TEXTS, TEXTS)
def test_texts_do_not_depend_on_their_neighbours(texts, others):
    learned = learn_trigrams(texts)
    alone = [learned.measure_unseen([text])[0] for text in others]
    assert np.array_equal(learned.measure_unseen(others), alone)


def test_measures_the_share_of_unseen_trigrams():
    words = [f"{a}{b}{c}" for a in "abcdefgh" for b in "ijklmnop" for c in "qrstuvwxyz"]
    learned = learn_trigrams([" ".join(words)])
    half = "".join(words[:20]) + "0123456789" * 6
    [nothing, all_new, mixed] = learned.measure_unseen([" ".join(words), "ßüö" * 40, half])
    assert nothing == 0
    # A few of those never seen have the bit of another one.
    assert all_new > 0.9
    assert 0.3 < mixed < 0.9


def test_a_short_text_hardly_counts():
    learned = learn_trigrams(["see you at home"])
    assert learned.measure_unseen(["xyz"]).item() == pytest.approx(1 / MIN_TRIGRAMS)
    assert learned.measure_unseen(["", "xy"]).tolist() == [0, 0]


def test_capitals_do_not_count():
    assert not learn_trigrams(["free prize"]).measure_unseen(["FREE PRIZE"]).any()


def test_a_set_stays_small():
    points = np.random.default_rng(0).integers(0x4E00, 0x9FFF, 600_000)
    learned = learn_trigrams(["".join(map(chr, points.tolist()))])
    assert len(learned.is_seen) == MAX_BITS


def test_nothing_is_seen_without_training_texts():
    assert learn_trigrams([]).measure_unseen(["a" * 62]).tolist() == [1]
