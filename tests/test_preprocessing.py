"""Tests of normalising, deduplicating and splitting."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import preprocessing
from preprocessing import choose_test_rows, drop_duplicates


def make_table(rows):
    df = pd.DataFrame(rows, columns=["label", "text"]).astype({"text": "str"})
    df["label"] = pd.Categorical(df["label"], categories=["ham", "spam"])
    return df.assign(row=np.arange(1, len(df) + 1))


@pytest.fixture
def preprocess(params_file, tmp_path):
    """Return a function that preprocesses rows; it returns train, test and the report."""

    def run(rows, **changes):
        params = params_file({f"preprocessing.{key}": value for key, value in changes.items()})
        make_table(rows).to_parquet(tmp_path / "messages.parquet")
        paths = {name: tmp_path / name for name in ("train", "test", "report")}
        argv = ["--params", str(params), "--input", str(tmp_path / "messages.parquet")]
        preprocessing.main(argv + [f"--{name}={path}" for name, path in paths.items()])
        train, test = pd.read_parquet(paths["train"]), pd.read_parquet(paths["test"])
        return train, test, json.loads(paths["report"].read_text())

    return run


@pytest.fixture
def rows(corpus):
    return [line.split("\t") for line in corpus.splitlines()]


def test_parts_every_distinct_message(preprocess, rows):
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


def test_null_switches_the_search_for_near_duplicates_off(preprocess, rows):
    _, _, report = preprocess(rows, near_duplicate_similarity=None)
    assert report["groups"] == report["distinct"]
    assert report["near_duplicates"] == 0


def test_the_seed_decides_the_split(preprocess, rows):
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
    df, n_relabelled = drop_duplicates(
        make_table([("ham", "a  b"), ("ham", "ａ b"), ("ham", "a c")])
    )
    assert df["text"].tolist() == ["a b", "a c"]
    assert df["row"].tolist() == [1, 3]
    assert n_relabelled == 0


def test_the_first_of_equal_messages_stays_with_the_label_of_the_last():
    rows = [("ham", "a"), ("spam", "b"), ("ham", "c"), ("spam", "a"), ("ham", "B"), ("spam", " c ")]
    df, n_relabelled = drop_duplicates(make_table([*rows, ("ham", "c")]))
    assert df[["row", "label", "text"]].to_numpy().tolist() == [
        [1, "spam", "a"],
        [2, "spam", "b"],
        [3, "ham", "c"],
        [5, "ham", "B"],
    ]
    assert n_relabelled == 1
    assert list(df["label"].cat.categories) == ["ham", "spam"]


def test_a_correction_at_the_end_relabels_a_message_and_is_counted(preprocess, rows):
    label, text = rows[0]
    corrected = {"ham": "spam", "spam": "ham"}[label]
    train, test, report = preprocess([*rows, [corrected, f" {text}"]])
    df = pd.concat([train, test])
    assert df.loc[df["row"] == 1, ["label", "text"]].to_numpy().tolist() == [[corrected, text]]
    assert (df["text"] == text).sum() == 1
    assert report["relabelled"] == 1
    assert report["exact_duplicates"] == 3
    assert sum(report[side]["labels"][corrected] for side in ("train", "test")) == (
        sum(row[0] == corrected for row in rows[:180]) + 1
    )


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
        # Groups hold four rows at most, and there are single ones to fill the rest.
        assert n_test > test_size * n - 5
