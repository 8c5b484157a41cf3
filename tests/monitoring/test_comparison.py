"""Tests of comparing tables of signals."""

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from core.errors import UserError
from monitoring.comparison import LEVEL, MIN_ROWS, find_drift
from monitoring.signals import UNSEEN, Signal

SIGNALS = [
    Signal(name="score", kind="probability"),
    Signal(name="label", kind="label"),
    Signal(name="price", kind="number", may_lack=True, low=0, high=10),
    Signal(name="colour", kind="category", may_lack=True),
    Signal(name="size", kind="ordinal", may_lack=True, low=0, high=2, order=["s", "m", "l"]),
    Signal(name="sold", kind="date", may_lack=True, low=0, high=20_000),
    Signal(name="unseen", kind="share"),
    Signal(name="foreign", kind="flag"),
]


def make_rows(n_rows=400, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "score": rng.beta(0.3, 2, n_rows),
            "label": rng.choice(["a", "b", "c"], n_rows),
            "price": np.where(rng.random(n_rows) < 0.1, np.nan, rng.uniform(0, 10, n_rows)),
            "colour": pd.array(rng.choice(["red", "green", None], n_rows), dtype="str"),
            "size": rng.integers(0, 3, n_rows).astype(float),
            "sold": rng.uniform(10_000, 20_000, n_rows),
            "unseen": rng.beta(0.2, 5, n_rows),
            "foreign": rng.random(n_rows) < 0.1,
        }
    )


def find(batch, reference=None, signals=SIGNALS):
    """Return the signals and tests with drift."""
    found = find_drift(signals, make_rows() if reference is None else reference, batch)
    return {(each.signal, each.what) for each in found if each.is_drift}


@pytest.mark.parametrize("seed", range(1, 6))
def test_rows_of_the_same_kind_have_not_drifted(seed):
    assert find(make_rows(seed=seed)) == set()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"score": lambda v: 1 - v}, {("score", "shares")}),
        ({"label": lambda v: v.replace("a", "b")}, {("label", "shares")}),
        ({"price": lambda v: v / 2}, {("price", "distribution")}),
        (
            {"price": lambda v: v * 100},
            {("price", "distribution"), ("price", "outside the training range")},
        ),
        ({"price": lambda v: v.mask(v.index % 3 == 0)}, {("price", "missing")}),
        ({"price": lambda v: v.fillna(5.0)}, {("price", "missing")}),
        ({"colour": lambda v: v.replace("red", "green")}, {("colour", "shares")}),
        (
            {"colour": lambda v: v.mask(v.index % 20 == 0, UNSEEN)},
            {("colour", "shares"), ("colour", "never seen")},
        ),
        ({"size": lambda v: v.replace(0.0, 1.0)}, {("size", "distribution")}),
        (
            {"sold": lambda v: v + 20_000},
            {("sold", "distribution"), ("sold", "outside the training range")},
        ),
        ({"unseen": lambda v: v + 0.2}, {("unseen", "mean")}),
        ({"foreign": lambda v: v | (v.index % 5 == 0)}, {("foreign", "share")}),
    ],
)
def test_finds_the_signal_that_drifted(change, expected):
    batch = make_rows(seed=1)
    assert find(batch.assign(**{name: of(batch[name]) for name, of in change.items()})) == expected


@given(st.integers(0, 1000), st.integers(MIN_ROWS, 300))
@settings(max_examples=20, deadline=None)
def test_p_values_and_effects_are_in_range(seed, n_rows):
    for each in find_drift(SIGNALS, make_rows(), make_rows(n_rows, seed)):
        assert 0 <= each.p_value <= 1
        assert 0 <= each.effect < np.inf


@given(st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_the_order_of_rows_does_not_matter(seed):
    reference, batch = make_rows(), make_rows(seed=seed)
    rng = np.random.default_rng(seed)
    mixed = [df.iloc[rng.permutation(len(df))] for df in (reference, batch)]
    for one, other in zip(
        find_drift(SIGNALS, reference, batch), find_drift(SIGNALS, *mixed), strict=True
    ):
        assert one.p_value == pytest.approx(other.p_value)
        assert one.effect == pytest.approx(other.effect)
        assert (one.change, one.is_drift) == (other.change, other.is_drift)


def test_the_reference_itself_has_not_drifted():
    for each in find_drift(SIGNALS, make_rows(), make_rows()):
        assert each.effect == 0
        assert each.p_value == pytest.approx(1)
        assert not each.is_drift


def test_p_values_are_those_of_the_usual_tests():
    first, second = make_rows(), make_rows(300, seed=1)
    found = {(each.signal, each.what): each for each in find_drift(SIGNALS, first, second)}
    ks = stats.ks_2samp(first["sold"], second["sold"], method="asymp")
    assert found["sold", "distribution"].effect == pytest.approx(ks.statistic)
    assert found["sold", "distribution"].p_value == pytest.approx(ks.pvalue)
    counts = pd.concat([df["label"].value_counts() for df in (first, second)], axis=1)
    chi2 = stats.chi2_contingency(counts, correction=False)
    assert found["label", "shares"].p_value == pytest.approx(chi2.pvalue)


def test_a_small_difference_of_a_large_batch_is_no_drift():
    signals = [Signal(name="size", kind="number"), Signal(name="flag", kind="flag")]
    rng = np.random.default_rng(0)

    def make(n_rows, shift):
        flags = rng.random(n_rows) < 0.2 + shift / 5
        return pd.DataFrame({"size": rng.normal(shift, 1, n_rows), "flag": flags})

    reference, batch = make(50_000, 0), make(50_000, 0.05)
    found = find_drift(signals, reference, batch)
    assert all(each.p_value < LEVEL / 2 for each in found)
    assert not any(each.is_drift for each in found)


def test_few_rows_are_refused():
    with pytest.raises(UserError, match=rf"^99 rows are too few .*: collect {MIN_ROWS} or more$"):
        find(make_rows(99))


def test_an_empty_batch_is_refused():
    with pytest.raises(UserError, match=r"^0 rows are too few"):
        find(make_rows(0))


@pytest.mark.parametrize("size", [1, 5])
def test_a_tiny_reference_gives_no_false_alarm(size):
    assert find(make_rows(seed=1), make_rows(size)) == set()


@pytest.mark.parametrize("columns", [["price"], ["colour"], ["price", "colour", "size", "sold"]])
def test_values_that_are_all_missing_are_missing_and_nothing_else(columns):
    empty = make_rows(seed=1).assign(**dict.fromkeys(columns, np.nan))
    assert find(empty) == {(name, "missing") for name in columns}
    assert find(make_rows(seed=1), empty) == {(name, "missing") for name in columns}
    assert find(empty, empty) == set()


def test_constant_columns_have_not_drifted():
    constant = make_rows().assign(
        score=0.0, label="a", price=5.0, colour="red", size=1.0, sold=1.0, unseen=0.0, foreign=True
    )
    assert find(constant.iloc[:200], constant) == set()


def test_a_constant_that_changes_is_drift():
    first = pd.DataFrame({"unseen": np.zeros(400), "price": np.ones(400)})
    signals = [each for each in SIGNALS if each.name in first]
    found = find(first + 0.5, first, signals)
    assert found == {("unseen", "mean"), ("price", "distribution")}


def test_unseen_values_alone_are_drift():
    found = find(make_rows(seed=1).assign(colour=UNSEEN))
    assert {("colour", "shares"), ("colour", "never seen")} <= found


def test_signals_that_a_table_lacks_are_not_compared():
    found = find_drift(SIGNALS, make_rows(), make_rows(seed=1)[["price", "score"]])
    assert {each.signal for each in found} == {"price", "score"}


def test_a_category_of_a_value_for_each_row_has_not_drifted():
    signals = [Signal(name="key", kind="category")]
    first, second = (
        pd.DataFrame({"key": [f"{name}{n}" for n in range(500)]}) for name in ("a", "b")
    )
    assert find(first, second, signals) == set()


@pytest.mark.slow
def test_ten_thousand_columns_take_seconds():
    rng = np.random.default_rng(0)
    names = [f"c{n}" for n in range(10_000)]
    signals = [Signal(name=name, kind="number", may_lack=True, low=-9, high=9) for name in names]
    first, second = (pd.DataFrame(rng.normal(size=(200, 10_000)), columns=names) for _ in range(2))
    second["c7"] += 5
    start = time.process_time()
    assert find(second, first, signals) == {("c7", "distribution")}
    assert time.process_time() - start < 60
