"""Tests of explaining a score word by word."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.naive_bayes import ComplementNB, MultinomialNB
from sklearn.svm import LinearSVC

from models import explanation
from models.adapted import ScaledClassifier
from models.explanation import explain, explain_all
from tests.support.small_model import fit_model

MESSAGES = [
    "WIN a free prize, call 08001234567 now!",
    "see you at home mum",
    "cash cash cash  and\tcash",
    "a",
    "call-me/now... £500:prize (free) http://win.example/claim",
    "unknown wörds 日本 🙂",
    "&nbsp;",
    "f r e e   p r i z e at h\u200bome \u200b FRЕЕ a\u00a8b",
    "\u200b",
]


def add_up(explanation):
    contributions = [contribution for _, contribution in explanation.words]
    return sum(contributions) + sum(explanation.others.values()) + explanation.intercept


@pytest.fixture(scope="module")
def model():
    return fit_model()


@pytest.mark.parametrize("text", MESSAGES)
@pytest.mark.parametrize("vectorizer", ["tfidf", "count", "hashing"])
@pytest.mark.parametrize("statistics", [True, False])
def test_contributions_add_up_to_the_decision_function(text, vectorizer, statistics):
    model = fit_model(LogisticRegression(), vectorizer, statistics)
    expected = model.decision_function([text])[0]
    assert add_up(explain(model, "spam", text)) == pytest.approx(expected, rel=1e-6, abs=1e-6)


@settings(deadline=None)
@given(text=st.text(min_size=1, max_size=80).filter(str.strip))
def test_contributions_of_any_text_add_up(model, text):
    expected = model.decision_function([text])[0]
    assert add_up(explain(model, "spam", text)) == pytest.approx(expected, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("text", MESSAGES)
@pytest.mark.parametrize("classifier", [MultinomialNB(), ComplementNB()], ids=str)
def test_contributions_to_naive_bayes_add_up_to_the_log_odds(text, classifier):
    model = fit_model(classifier)
    ham, spam = model.predict_log_proba([text])[0]
    assert add_up(explain(model, "spam", text)) == pytest.approx(spam - ham, rel=1e-5, abs=1e-5)


def test_a_calibrated_model_is_explained_by_its_inner_model():
    model = fit_model(ScaledClassifier(LinearSVC(), 2.0, 1.0))
    inner = model[-1].classifier
    expected = inner.decision_function(model[:-1].transform(MESSAGES[:1]))[0]
    assert add_up(explain(model, "spam", MESSAGES[0])) == pytest.approx(expected, rel=1e-5)


def test_a_model_without_weights_is_not_explained():
    assert explain(fit_model(RandomForestClassifier(3)), "spam", "free prize") is None


def test_signs_are_those_of_the_positive_label():
    model = fit_model(SGDClassifier(loss="modified_huber", random_state=0))
    spam, ham = (explain(model, label, MESSAGES[0]) for label in ("spam", "ham"))
    assert [c for _, c in spam.words] == [-c for _, c in ham.words]
    assert spam.intercept == -ham.intercept


def test_names_the_words_of_the_message_in_their_order(model):
    words = [word for word, _ in explain(model, "spam", " WIN\ta   ＦＲＥＥ prize! ").words]
    assert words == ["WIN", "a", "ＦＲＥＥ", "prize!"]


def test_spaced_letters_are_one_word_that_contributes_what_it_does_when_written_plainly(model):
    spaced = explain(model, "spam", "get f r e e   p r i\u200b z e at hоme").words
    assert [word for word, _ in spaced] == ["get", "f r e e", "p r i\u200b z e", "at", "hоme"]
    plain = explain(model, "spam", "get free prize at home").words
    assert [c for _, c in spaced] == pytest.approx([c for _, c in plain])


def test_what_shows_nothing_contributes_nothing(model):
    assert dict(explain(model, "spam", "cash \u200b now").words)["\u200b"] == 0


def test_a_word_that_only_spam_has_contributes_to_spam(model):
    contributions = dict(explain(model, "spam", "prize at home").words)
    assert contributions["prize"] > 0 > contributions["home"]


def test_equal_words_between_equal_neighbours_contribute_equally():
    branchless = fit_model(LogisticRegression(), statistics=False)
    contributions = [c for _, c in explain(branchless, "spam", "cash cash").words]
    assert np.ptp(contributions) == pytest.approx(0, abs=1e-9)


def test_many_messages_are_explained_as_each_alone(model, monkeypatch):
    texts = [*MESSAGES, "🙂", "f r e e  prize", "home"]
    alone = [explain(model, "spam", text) for text in texts]
    assert list(explain_all(model, "spam", texts)) == alone
    monkeypatch.setattr(explanation, "MOST_AT_ONCE", 2)
    assert list(explain_all(model, "spam", texts)) == alone
