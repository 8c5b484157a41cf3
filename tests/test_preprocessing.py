"""Tests of normalising, deduplicating and splitting."""

import json
import random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import preprocessing
from core.params import read_params
from preprocessing import PreprocessingParams, choose_test_rows, drop_duplicates, prepare, split
from text.near_duplicates import group_near_duplicates


def make_table(rows, added=()):
    df = pd.DataFrame([*rows, *added], columns=["label", "text"]).astype({"text": "str"})
    df["label"] = pd.Categorical(df["label"], categories=["ham", "spam"])
    return df.assign(row=np.arange(1, len(df) + 1), added=np.arange(len(df)) >= len(rows))


@pytest.fixture
def preprocess(params_file, tmp_path):
    """Return a function that preprocesses rows; it returns train, test and the report."""

    def run(rows, added=(), **changes):
        params = params_file({f"preprocessing.{key}": value for key, value in changes.items()})
        make_table(rows, added).to_parquet(tmp_path / "messages.parquet")
        paths = {name: tmp_path / name for name in ("train", "test", "report")}
        argv = ["--params", str(params), "--input", str(tmp_path / "messages.parquet")]
        preprocessing.main(argv + [f"--{name}={path}" for name, path in paths.items()])
        train, test = pd.read_parquet(paths["train"]), pd.read_parquet(paths["test"])
        return train, test, json.loads(paths["report"].read_text())

    return run


@pytest.fixture
def rows(corpus):
    return [line.split("\t") for line in corpus.splitlines()]


def test_every_distinct_message_is_in_train_or_test(preprocess, rows):
    train, test, report = preprocess(rows)
    assert report["read"] == 182
    assert report["exact_duplicates"] == 2
    assert report["relabelled"] == 0
    assert len(train) + len(test) == report["distinct"] == 180
    assert report["test"]["labels"] == {"ham": 24, "spam": 12}
    assert list(train) == ["label", "text", "tokens", "group", "row"]


def test_keeps_near_duplicates_on_one_side(preprocess, rows):
    template = "URGENT you have won prize number {} call now to claim it before midnight"
    rows = rows + [["spam", template.format(n)] for n in range(100, 120)]
    train, test, report = preprocess(rows)
    assert report["largest_group"] >= 20
    assert set(train["group"]).isdisjoint(test["group"])
    urgent = [df["text"].str.startswith("URGENT").sum() for df in (train, test)]
    assert sorted(urgent) == [0, 20]


def test_null_disables_the_search_for_near_duplicates(preprocess, rows):
    _, _, report = preprocess(rows, near_duplicate_similarity=None)
    assert report["groups"] == report["distinct"]
    assert report["near_duplicates"] == 0


def test_the_seed_determines_the_split(preprocess, rows):
    first, again, other = (preprocess(rows, random_state=seed)[1]["row"] for seed in (0, 0, 1))
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()


def test_rows_stay_in_the_order_of_the_source(preprocess, rows):
    train, test, _ = preprocess(rows)
    assert train["row"].is_monotonic_increasing
    assert test["row"].is_monotonic_increasing


def test_tokens_follow_the_options(preprocess, rows):
    rows = [*rows, ["ham", "The Running dogs"]]
    seen = {}
    for stemmer, stop_words, lowercase in (
        ("none", "none", False),
        ("snowball", "none", True),
        ("porter", "english", True),
    ):
        train, test, _ = preprocess(
            rows, stemmer=stemmer, stop_words=stop_words, lowercase=lowercase
        )
        df = pd.concat([train, test])
        seen[stemmer] = df.loc[df["text"] == "The Running dogs", "tokens"].item()
    assert seen == {"none": "The Running dogs", "snowball": "the run dog", "porter": "run dog"}


def test_duplicates_are_found_after_normalising():
    df = drop_duplicates(make_table([("ham", "a  b"), ("ham", "ａ b"), ("ham", "a c")]))
    assert df["text"].tolist() == ["a b", "a c"]
    assert df["row"].tolist() == [1, 3]


def test_the_first_of_equal_messages_stays_with_the_label_of_the_last():
    rows = [("ham", "a"), ("spam", "b"), ("ham", "c")]
    added = [("spam", "a"), ("ham", "B"), ("spam", " c "), ("ham", "c"), ("spam", "B")]
    df = drop_duplicates(make_table(rows, added))
    columns = ["row", "label", "first_label", "added", "text"]
    assert df[columns].to_numpy().tolist() == [
        [1, "spam", "ham", False, "a"],
        [2, "spam", "spam", False, "b"],
        [3, "ham", "ham", False, "c"],
        [5, "spam", "ham", True, "B"],
    ]
    assert list(df["label"].cat.categories) == ["ham", "spam"]


def test_corrections_of_the_source_change_labels_and_nothing_else(preprocess, rows):
    before = preprocess(rows)
    other = {"ham": "spam", "spam": "ham"}
    # With a third of the labels changed, a split by these labels would be a different one.
    added = [(other[label], f" {text}") for label, text in rows[:60]]
    after = preprocess(rows, added)
    for side, corrected in zip(before[:2], after[:2], strict=True):
        is_corrected = side["row"] <= 60
        assert is_corrected.any()
        side["label"] = side["label"].where(~is_corrected, side["label"].map(other))
        side["label"] = pd.Categorical(side["label"], categories=["ham", "spam"])
        pd.testing.assert_frame_equal(corrected, side)
    assert after[2]["relabelled"] == 60
    assert after[2]["exact_duplicates"] == 62
    assert after[2]["distinct"] == 180
    assert after[2]["added"] == {"train": 0, "test": 0, "left_out": 0}


def test_an_added_message_without_near_duplicates_is_for_training(preprocess, rows):
    before, after = preprocess(rows), preprocess(rows, [("ham", f"{c} {c * 40}") for c in "abcd"])
    pd.testing.assert_frame_equal(after[0][:-4], before[0])
    pd.testing.assert_frame_equal(after[1], before[1])
    assert after[0]["row"].tolist()[-4:] == [183, 184, 185, 186]
    assert after[2]["added"] == {"train": 4, "test": 0, "left_out": 0}


WORDS = "apple bridge candle drawer engine flower garden harbour island jacket kettle ladder"


def blend(n_first):
    """Return a message of 12 words: ``n_first`` of one kind, the rest of another."""
    return " ".join([*WORDS.split()[:n_first], *WORDS[::-1].split()[n_first:]])


@pytest.fixture
def divided(preprocess, rows):
    """Return a function for rows that include two messages which are not near-duplicates.

    The function preprocesses them with added rows, with a seed that separates the two messages;
    it returns train, test and the report.
    """
    rows = [*rows, ("ham", blend(0)), ("ham", blend(12))]
    for seed in range(40):
        train, test, _ = preprocess(rows, random_state=seed)
        if (183 in test["row"].tolist()) and (184 in train["row"].tolist()):
            break
    return lambda *texts: preprocess(rows, [("ham", text) for text in texts], random_state=seed)


def test_an_added_message_joins_the_side_of_its_near_duplicate(divided):
    train, test, report = divided(blend(1), blend(11))
    for side, old, new in ((test, 183, 185), (train, 184, 186)):
        group = side.set_index("row")["group"]
        assert group[old] == group[new]
    assert report["added"] == {"train": 1, "test": 1, "left_out": 0}


def test_a_chain_of_added_messages_between_the_sides_is_left_out(divided):
    before = divided()
    for texts in ([blend(n) for n in range(1, 12)], [blend(n) for n in range(11, 0, -1)]):
        after = divided(*texts, "nothing like the others at all")
        pd.testing.assert_frame_equal(after[0][:-1], before[0])
        pd.testing.assert_frame_equal(after[1], before[1])
        assert after[2]["added"] == {"train": 1, "test": 0, "left_out": 11}
        assert after[2]["distinct"] == len(after[0]) + len(after[1]) + 11


def test_added_messages_move_none_of_the_source_and_split_no_group(params_file):
    changes = {"near_duplicate_similarity": 0.4, "test_size": 0.4}
    path = params_file({f"preprocessing.{key}": value for key, value in changes.items()})
    params = read_params(path, "preprocessing", PreprocessingParams)
    rng = random.Random(0)

    def draw(n):
        # With few words, many messages are equal, near-duplicates, or connect other messages.
        labels, words = rng.choices(["ham", "spam"], k=n), WORDS.split()
        return [(label, " ".join(rng.choices(words, k=rng.randint(2, 5)))) for label in labels]

    counts = np.zeros(3, int)
    for _ in range(30):
        rows, added = draw(30), draw(rng.randint(0, 30))
        before, was_test = split(prepare(make_table(rows), params), params)
        df = prepare(make_table(rows, added), params)
        kept, is_test = split(df, params)
        is_source = ~kept["added"].to_numpy()
        assert kept.loc[is_source, "row"].tolist() == before["row"].tolist()
        assert is_test[is_source].tolist() == was_test.tolist()
        groups = kept["group"]
        assert set(groups[is_test]).isdisjoint(groups[~is_test])
        assert groups.tolist() == group_near_duplicates(kept["text"].tolist(), 0.4).tolist()
        # Only a near-duplicate of a test message of the source may be added to the test set.
        assert set(groups[is_test & ~is_source]) <= set(groups[is_test & is_source])
        counts += [(~is_test & ~is_source).sum(), (is_test & ~is_source).sum(), len(df) - len(kept)]
    assert counts.min() > 10


def test_refuses_corrections_that_leave_a_side_without_a_label(preprocess, rows):
    added = [("ham", text) for label, text in rows if label == "spam"]
    with pytest.raises(ValueError, match="the test set has no message labelled 'spam'"):
        preprocess(rows, added)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("test_size", 0),
        ("test_size", 1),
        ("test_size", "abc"),
        ("stemmer", "lancaster"),
        ("stop_words", "german"),
        ("near_duplicate_similarity", 0.1),
        ("random_state", -1),
    ],
)
def test_refuses_a_parameter_out_of_range(preprocess, rows, key, value):
    with pytest.raises(ValueError, match=rf"params\.yaml: preprocessing\.{key}: .*, got {value!r}"):
        preprocess(rows, **{key: value})


@pytest.mark.parametrize(
    ("spam", "side"), [(["win cash now"], "test"), (["win cash 1", "win cash 2"], "test")]
)
def test_refuses_a_label_with_too_few_groups(preprocess, rows, spam, side):
    ham = [row for row in rows if row[0] == "ham"]
    with pytest.raises(ValueError, match=f"the {side} set has no message labelled 'spam'"):
        preprocess([*ham, *(["spam", text] for text in spam)])


def test_refuses_a_split_that_takes_every_training_row():
    labels = pd.Series(pd.Categorical(["ham", "ham", "spam"], categories=["ham", "spam"]))
    with pytest.raises(ValueError, match="the training set has no message labelled 'spam'"):
        choose_test_rows(labels, pd.Series([0, 1, 2]), test_size=0.6, random_state=0)


@given(
    sizes=st.lists(st.tuples(st.integers(1, 4), st.booleans()), min_size=12, max_size=60),
    test_size=st.floats(0.2, 0.8),
    seed=st.integers(0, 5),
)
@settings(deadline=None)
def test_no_group_is_on_both_sides_and_both_labels_on_each(sizes, test_size, seed):
    sizes = [*sizes, *[(1, False)] * 10, *[(1, True)] * 10]
    groups = pd.Series(np.repeat(np.arange(len(sizes)), [n for n, _ in sizes]))
    is_spam = np.repeat([spam for _, spam in sizes], [n for n, _ in sizes])
    labels = pd.Series(pd.Categorical(np.where(is_spam, "spam", "ham"), ["ham", "spam"]))
    is_test = choose_test_rows(labels, groups, test_size, seed)
    assert set(groups[is_test]).isdisjoint(groups[~is_test])
    for label in ("ham", "spam"):
        n_test, n = (labels[is_test] == label).sum(), (labels == label).sum()
        assert 0 < n_test < n
        assert n_test <= round(test_size * n)
        # Groups have at most four rows, and single rows can fill the remaining places.
        assert n_test > test_size * n - 5


@pytest.mark.parametrize("template", ["Your code is {}, see you", "您的验证码是{}，请勿泄露"])
def test_names_the_largest_group_and_the_parameter_that_makes_it(preprocess, template):
    rows = [["ham", template.format(i)] for i in range(300)]
    rows += [["spam", f"WIN {i} pounds now, call {i}"] for i in range(200)]
    with pytest.raises(ValueError, match="the test set has no message labelled 'ham': ") as caught:
        preprocess(rows)
    assert "group of near-duplicates has 300 of the 500 messages" in str(caught.value)
    assert "raise preprocessing.near_duplicate_similarity, leave it empty" in str(caught.value)
    train, test, _ = preprocess(rows, near_duplicate_similarity=None)
    assert set(test["label"]) == set(train["label"]) == {"ham", "spam"}
