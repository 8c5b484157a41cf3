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
from records.train_test_split import choose_groups
from tests.support.schemas import MESSAGES, make_schema
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
def params(params_file):
    """Return a function that reads the parameters with some values changed."""

    def read(**changes):
        path = params_file({f"preprocessing.{key}": value for key, value in changes.items()})
        return read_params(path, "preprocessing", PreprocessingParams)

    return read


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
    assert list(train) == ["label", "text", "text_tokens", "group", "row"]


def test_keeps_near_duplicates_on_one_side(preprocess, rows):
    template = "URGENT you have won prize number {} call now to claim it before midnight"
    rows = rows + [["spam", template.format(n)] for n in range(100, 120)]
    train, test, report = preprocess(rows)
    assert report["largest_group"] >= 20
    assert set(train["group"]).isdisjoint(test["group"])
    urgent = [df["text"].str.startswith("URGENT").sum() for df in (train, test)]
    assert sorted(urgent) == [0, 20]


def test_exact_disables_the_search_for_near_duplicates(preprocess, rows):
    _, _, report = preprocess(rows, duplicates="exact")
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
        seen[stemmer] = df.loc[df["text"] == "The Running dogs", "text_tokens"].item()
    assert seen == {"none": "The Running dogs", "snowball": "the run dog", "porter": "run dog"}


def test_duplicates_are_found_after_normalising(preprocess, rows):
    rows = [*rows, ("ham", "a  b"), ("ham", "ａ b"), ("ham", "a c")]
    df = pd.concat(preprocess(rows)[:2]).set_index("text")["row"]
    assert df[["a b", "a c"]].tolist() == [183, 185]


def test_the_first_of_equal_messages_stays_with_the_label_of_the_last():
    rows = [("ham", "a"), ("spam", "b"), ("ham", "c")]
    added = [("spam", "a"), ("ham", "B"), ("spam", "c"), ("ham", "c"), ("spam", "B")]
    df = drop_duplicates(make_table(rows, added), MESSAGES)
    columns = ["row", "label", "first_target", "added", "text"]
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
        before, was_test = split(prepare(make_table(rows), MESSAGES, params), MESSAGES, params)
        df = prepare(make_table(rows, added), MESSAGES, params)
        kept, is_test = split(df, MESSAGES, params)
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
    with pytest.raises(ValueError, match="the test set has no row labelled 'spam'"):
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
        ("duplicates", "fuzzy"),
        ("split_method", "by hand"),
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
    with pytest.raises(ValueError, match=f"the {side} set has no row labelled 'spam'"):
        preprocess([*ham, *(["spam", text] for text in spam)])


def test_small_groups_of_duplicates_are_not_to_blame_for_a_small_test_set(preprocess, rows):
    with pytest.raises(ValueError, match=r"add rows, or change preprocessing\.test_size$"):
        preprocess(rows, test_size=0.0001)


def test_refuses_a_split_that_takes_every_training_row(params):
    labels = pd.Series(pd.Categorical(["ham", "ham", "spam"], categories=["ham", "spam"]))
    df = pd.DataFrame({"first_target": labels})
    with pytest.raises(ValueError, match="the training set has no row labelled 'spam'"):
        choose_test_rows(df, pd.Series([0, 1, 2]), MESSAGES, params(test_size=0.6))


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
    is_test = choose_groups(labels.cat.codes.to_numpy(), groups, test_size, seed)
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
    with pytest.raises(ValueError, match="the test set has no row labelled 'ham': ") as caught:
        preprocess(rows)
    assert "group of duplicates has 300 of the 500 rows" in str(caught.value)
    assert (
        "raise preprocessing.near_duplicate_similarity, set preprocessing.duplicates to exact"
        in str(caught.value)
    )
    train, test, _ = preprocess(rows, duplicates="exact")
    assert set(test["label"]) == set(train["label"]) == {"ham", "spam"}


def make_sales(n=40):
    """Return a table of numbers, categories and dates, each row twice."""
    numbers = np.arange(n, dtype=float)
    df = pd.DataFrame(
        {
            "price": 3 * numbers,
            "size": numbers % 7,
            "shop": [f"shop {i % 5}" for i in range(n)],
            "sold": pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(n) % 20, "D"),
            "row": np.arange(2, n + 2),
            "added": False,
        }
    )
    return df.astype({"shop": "str"})


SALES = make_schema(
    task="regression",
    target="price",
    labels=[],
    positive=None,
    text=[],
    number=["size"],
    category=["shop"],
    date=["sold"],
)


def divide(df, schema, params):
    kept, is_test = split(prepare(df, schema, params), schema, params)
    return kept[~is_test], kept[is_test]


def test_equal_rows_stay_on_one_side_and_are_kept(params):
    df = pd.concat([make_sales(), make_sales()], ignore_index=True)
    train, test = divide(df, SALES, params(duplicates="exact"))
    assert len(train) + len(test) == 80
    assert set(train["group"]).isdisjoint(test["group"])
    assert pd.concat([train, test])["group"].value_counts().tolist() == [2] * 40


def test_rows_that_differ_in_another_feature_are_no_copies(params):
    schema = make_schema(category=["shop"])
    df = make_table([("ham", "see you at the station at noon today")] * 4)
    df["shop"] = pd.Series(["a", "a", "b", None], dtype="str")
    groups = prepare(df, schema, params())["group"]
    assert groups.tolist() == [0, 0, 1, 2]


def test_keep_makes_each_row_a_group(params):
    df = pd.concat([make_sales(), make_sales()], ignore_index=True)
    assert prepare(df, SALES, params(duplicates="keep"))["group"].is_unique
    messages = make_table([("ham", "a"), ("ham", "a")])
    assert len(prepare(messages, MESSAGES, params(duplicates="keep"))) == 2


def test_regression_spreads_the_target_over_both_sides(params):
    train, test = divide(make_sales(200), SALES, params(duplicates="exact"))
    assert len(test) == 40
    assert abs(train["price"].mean() - test["price"].mean()) < 30


def test_strata_whose_groups_are_too_large_share_their_room(params):
    df = pd.concat([make_sales(20)] * 15, ignore_index=True)
    train, test = divide(df, SALES, params(duplicates="exact"))
    assert 30 <= len(test) <= 60
    assert set(train["group"]).isdisjoint(test["group"])


def test_a_split_by_group_keeps_equal_values_together(params):
    changes = {"split_method": "group", "split_column": "shop", "duplicates": "exact"}
    train, test = divide(make_sales(), SALES, params(**changes))
    assert len(test) == 8
    assert set(train["shop"]).isdisjoint(test["shop"])
    assert train["group"].nunique() == 4


def test_a_split_by_time_tests_on_the_latest_rows(params):
    changes = {"split_method": "time", "split_column": "sold", "duplicates": "exact"}
    train, test = divide(make_sales(), SALES, params(**changes))
    assert len(test) == 8
    assert train["sold"].max() < test["sold"].min()
    assert train["sold"].is_monotonic_increasing


def test_later_copies_of_training_rows_are_not_tested_on(params):
    # The date orders the rows and is no feature, so that rows can be copies.
    df = make_sales().assign(shop="a", sold=pd.Timestamp("2024-01-01"))
    df["size"] = [*range(38), 5, 6]
    df["day"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(40), "D")
    schema = SALES.model_copy(update={"date": ["sold"], "id": ["day"]})
    kept = prepare(df, schema, params(duplicates="exact"))
    split_params = params(split_method="time", split_column="day", duplicates="exact")
    kept, is_test = split(kept, schema, split_params)
    assert kept.loc[is_test, "row"].tolist() == [34, 35, 36, 37, 38, 39]
    assert len(kept) == 38


def test_a_split_by_time_names_missing_dates(params):
    df = make_sales()
    df.loc[3, "sold"] = pd.NaT
    with pytest.raises(ValueError, match=r"1 rows have no 'sold': add .*required: true"):
        divide(df, SALES, params(split_method="time", split_column="sold"))


def test_a_split_by_time_needs_two_times(params):
    df = make_sales().assign(sold=pd.Timestamp("2024-01-01"))
    with pytest.raises(ValueError, match="every row has the same 'sold'"):
        divide(df, SALES, params(split_method="time", split_column="sold"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split_method": "time"}, "split_method time needs a split_column"),
        ({"split_column": "shop"}, "split_method stratified uses no split_column"),
    ],
)
def test_a_split_has_the_column_that_it_needs(params, changes, message):
    with pytest.raises(ValueError, match=message):
        params(**changes)


@pytest.mark.parametrize(
    ("column", "message"),
    [("colour", "'colour' is not in the table"), ("text", "'text' is in schema.text: move it")],
)
def test_refuses_a_column_that_cannot_split(preprocess, rows, column, message):
    with pytest.raises(ValueError, match=message):
        preprocess(rows, split_method="time", split_column=column)
