"""Tests of finding near-duplicates, compared with a search through every pair."""

import itertools
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from text import near_duplicates
from text.near_duplicates import (
    are_similar,
    canonicalise,
    count_shingles,
    find_candidates,
    group_near_duplicates,
)

SIMILARITIES = st.integers(30, 100).map(lambda percent: percent / 100)
SHORT_TEXTS = st.lists(st.text("ab", max_size=12) | st.text("aB1 ", max_size=9), max_size=12)
PHRASES = ["win a prize today", "call me when home", "0123 free entry now", "prize prize prize"]
# Long texts that share phrases, so many pairs are close to the limit.
LONG_TEXTS = st.lists(
    st.lists(st.sampled_from(PHRASES) | st.text("xyz", max_size=5), max_size=5).map("".join),
    max_size=8,
)


def shingle(text):
    canonical = re.sub(r"\d+", "0", text.casefold())
    canonical += "\0" * (5 - len(canonical))
    return {canonical[i : i + 5] for i in range(len(canonical) - 4)}


def compare_every_pair(texts, similarity):
    """Return the near-duplicate pairs, straight from their definition."""
    sets = [shingle(text) for text in texts]
    return [
        (i, j)
        for i, j in itertools.combinations(range(len(texts)), 2)
        if len(sets[i] & sets[j]) / len(sets[i] | sets[j]) >= similarity
    ]


def group_every_pair(texts, similarity):
    """Return group numbers in order of first appearance, merging groups pair by pair."""
    groups = list(range(len(texts)))
    for i, j in compare_every_pair(texts, similarity):
        groups = [groups[i] if group == groups[j] else group for group in groups]
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    return [numbers[group] for group in groups]


@pytest.mark.parametrize(
    "texts",
    [
        ["call 08001234567 now", "call 7 now"],
        ["CALL me tonight", "call ME tonight"],
        ["Straße", "STRASSE"],
        ["ok", "OK"],
        ["", ""],
        ["code ٣٤", "code 9"],
    ],
)
def test_treats_texts_that_differ_in_case_or_digits_as_equal(texts):
    assert group_near_duplicates(texts, 1).tolist() == [0, 0]


@pytest.mark.parametrize("texts", [["ok", "no"], ["", "a"], ["aaaa", "aaaaa"], ["win 1", "win a"]])
def test_distinguishes_short_texts(texts):
    assert group_near_duplicates(texts, 0.3).tolist() == [0, 1]


def test_similarity_at_the_limit_counts():
    texts = ["abcdefgh", "abcdefgx"]  # 3 shingles of 5 in common
    assert group_near_duplicates(texts, 0.6).tolist() == [0, 0]
    assert group_near_duplicates(texts, 0.61).tolist() == [0, 1]


def test_similarity_at_the_limit_counts_where_rounding_would_not():
    texts = ["abcdefghijklmnopqrstuvwxyzäöü", "abcdefghijklmnopqr"]  # 14 shingles of 25
    assert 0.56 * 25 > 14
    assert group_near_duplicates(texts, 0.56).tolist() == [0, 0]


def test_joins_texts_through_one_between_them():
    texts = ["abcdefgh", "cdefghij", "efghijkl"]
    assert compare_every_pair(texts, 0.3) == [(0, 1), (1, 2)]
    assert group_near_duplicates(texts, 0.3).tolist() == [0, 0, 0]


def test_numbers_groups_in_order_of_first_appearance():
    texts = ["zzzzzzz", "mmmmmmm", "zzzzzzz", "aaaaaaa", "mmmmmmm"]
    assert group_near_duplicates(texts, 0.7).tolist() == [0, 1, 0, 2, 1]


def test_groups_no_texts():
    assert group_near_duplicates([], 0.7).tolist() == []


@settings(deadline=None)
@given(SHORT_TEXTS, SIMILARITIES)
def test_finds_the_groups_of_short_texts(texts, similarity):
    assert group_near_duplicates(texts, similarity).tolist() == group_every_pair(texts, similarity)


@settings(deadline=None)
@given(LONG_TEXTS, SIMILARITIES, st.sampled_from([0.1, 0.5, 1.0]))
def test_finds_the_groups_of_long_texts_whatever_the_share_of_rare_shingles(
    texts, similarity, share
):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(near_duplicates, "RARE_SHARE", share)
        groups = group_near_duplicates(texts, similarity)
    assert groups.tolist() == group_every_pair(texts, similarity)


@settings(deadline=None)
@given(LONG_TEXTS, SIMILARITIES)
def test_finds_groups_across_blocks(texts, similarity):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(near_duplicates, "BLOCK_ROWS", 3)
        patch.setattr(near_duplicates, "BLOCK_PAIRS", 2)
        groups = group_near_duplicates(texts, similarity)
    assert groups.tolist() == group_every_pair(texts, similarity)


@settings(deadline=None)
@given(LONG_TEXTS, SIMILARITIES)
def test_every_similar_pair_is_a_candidate_and_only_similar_ones_are_kept(texts, similarity):
    S = count_shingles(list(map(canonicalise, texts)))
    blocks = [np.empty((2, 0), np.int64), *find_candidates(S, similarity)]
    i, j = np.concatenate(blocks, axis=1)
    similar = are_similar(S, i, j, similarity)
    pairs = zip(i[similar].tolist(), j[similar].tolist(), strict=True)
    assert sorted(pairs) == compare_every_pair(texts, similarity)


@settings(deadline=None)
@given(LONG_TEXTS.filter(len), SIMILARITIES, st.data())
def test_duplicates_join_their_group_and_change_no_other(texts, similarity, data):
    copied = data.draw(st.lists(st.sampled_from(range(len(texts))), max_size=5))
    groups = group_near_duplicates([*texts, *(texts[i] for i in copied)], similarity).tolist()
    alone = group_near_duplicates(texts, similarity).tolist()
    assert groups == alone + [alone[i] for i in copied]


@settings(deadline=None)
@given(st.lists(st.text(max_size=12), max_size=6))
def test_counts_each_distinct_shingle_of_a_text_once(texts):
    S = count_shingles(list(map(canonicalise, texts)))
    sets = [shingle(text) for text in texts]
    assert S.shape == (len(texts), len(set().union(*sets)))
    assert S.sum(axis=1).ravel().tolist() == [[len(shingles) for shingles in sets]]
    assert set(S.data.tolist()) <= {1}


def test_distinguishes_shingles_whose_numbers_would_not_fit_in_64_bits():
    # 8192 characters: in a shingle the first counts 8192**4 = 2**52, and 4096 * 2**52 = 2**64.
    alphabet = [chr(0x4E00 + i) for i in range(8192)]
    tail = "".join(alphabet[1:5])
    S = count_shingles(["".join(alphabet), alphabet[0] + tail, alphabet[4096] + tail])
    assert S.shape == (3, 8189)
    assert np.diff(S.indptr).tolist() == [8188, 1, 1]
    assert (S[1] @ S[2].T).nnz == 0


def test_many_messages_of_one_template_take_little_memory():
    template = "Your parcel {} will be with you today between {} and {} o'clock, thank you"
    texts = [template.format(i, i % 24, i % 7) for i in range(20_000)]
    assert set(group_near_duplicates(texts, 0.7).tolist()) == {0}


def test_compares_few_pairs_of_a_large_group(monkeypatch):
    compared = []
    monkeypatch.setattr(
        near_duplicates,
        "are_similar",
        lambda S, i, j, similarity: compared.append(len(i)) or are_similar(S, i, j, similarity),
    )
    names = ["".join(letters) for letters in itertools.product("abcdefghij", repeat=3)]
    text = "Dear {}, your parcel will be with you today between noon and midnight, be at home"
    groups = group_near_duplicates([text.format(name) for name in names], 0.7)
    assert set(groups.tolist()) == {0}
    assert sum(compared) <= near_duplicates.BLOCK_PAIRS < len(names) ** 2 / 4


PEOPLE = ["妈妈", "爸爸", "老师", "小明", "同事", "朋友", "邻居", "经理", "客户", "医生"]
TIMES = ["今天", "明天", "后天", "周一", "周二", "周三", "周五", "周末", "早上", "晚上"]
DEEDS = [
    "一起吃饭",
    "去看电影",
    "开会讨论",
    "来公司",
    "去打球",
    "学习英语",
    "去医院",
    "做饭",
    "买菜",
]
COMBINED = list(itertools.product(PEOPLE, TIMES, DEEDS))


@pytest.mark.parametrize(
    "frame", ["{}{}{}", "{}说{}{}，好吗？", "你好，{}让我问一下，{}能不能{}，谢谢。"]
)
def test_short_chinese_messages_of_different_phrases_are_not_grouped(frame):
    texts = [frame.format(*phrases) for phrases in COMBINED]
    assert len(set(group_near_duplicates(texts, 0.7).tolist())) == len(texts) == 900


def test_chinese_messages_that_differ_in_numbers_or_their_end_are_grouped():
    texts = [
        "【快递】您的包裹12345已到小区门口的柜子，请今天来取",
        "【快递】您的包裹98已到小区门口的柜子，请今天来取",
        "【快递】您的包裹7已到小区门口的柜子，请今天来取。谢谢",
        "明天晚上一起吃饭吗，我在公司门口等你",
    ]
    assert group_near_duplicates(texts, 0.7).tolist() == [0, 0, 0, 1]
