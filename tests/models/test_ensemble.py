"""Tests of the mean of linear models."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.special import logit
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from models.ensemble import BranchEnsemble

rng = np.random.default_rng(0)
X = sp.csr_matrix(rng.random((60, 5)))
Y = np.where(X[:, [0, 3]].sum(axis=1).A1 + rng.normal(0, 0.2, 60) > 1, "spam", "ham")
BRANCHES = {"words": [0, 3], "characters": [3, 5]}
OPTIONS = {"C": 10.0, "random_state": 0, "branches": BRANCHES}


def fit_alone(columns):
    options = {"solver": "liblinear", "dual": True, "max_iter": 1000}
    return LogisticRegression(C=10.0, random_state=0, **options).fit(X[:, columns], Y)


def test_its_score_is_the_mean_of_those_of_its_members():
    ensemble = BranchEnsemble([["words"], ["words", "characters"]], **OPTIONS).fit(X, Y)
    words, both = fit_alone([0, 1, 2]), fit_alone([0, 1, 2, 3, 4])
    expected = (words.decision_function(X[:, :3]) + both.decision_function(X)) / 2
    np.testing.assert_allclose(ensemble.decision_function(X), expected)
    np.testing.assert_allclose(logit(ensemble.predict_proba(X)[:, 1]), expected)
    assert (ensemble.predict(X) == np.where(expected > 0, "spam", "ham")).all()


def test_calibrating_scales_the_score_and_keeps_the_order():
    ensemble = BranchEnsemble([["words"]], **OPTIONS).fit(X, Y)
    before = ensemble.decision_function(X)
    ensemble.calibrate(2.0, -1.0)
    np.testing.assert_allclose(ensemble.decision_function(X), 2 * before - 1)


def test_branches_that_the_features_lack_are_left_out():
    members = [["words"], ["words", "statistics"], ["statistics"]]
    ensemble = BranchEnsemble(members, **OPTIONS).fit(X, Y)
    alone = fit_alone([0, 1, 2])
    np.testing.assert_allclose(ensemble.decision_function(X), alone.decision_function(X[:, :3]))


def test_without_branches_it_is_one_model_of_all_features():
    ensemble = BranchEnsemble([["words"]], C=10.0, random_state=0).fit(X, Y)
    alone = fit_alone([0, 1, 2, 3, 4])
    np.testing.assert_allclose(ensemble.decision_function(X), alone.decision_function(X))


def test_needs_a_branch_that_there_is():
    with pytest.raises(ValueError, match="none of the branches words, characters"):
        BranchEnsemble([["statistics"]], **OPTIONS).fit(X, Y)


def test_scikit_learn_can_clone_it():
    ensemble = BranchEnsemble([["words"]], **OPTIONS)
    assert clone(ensemble).get_params() == ensemble.get_params()


def test_each_of_several_labels_is_told_apart_from_the_others():
    y = np.array(["a", "b", "c"], object)[X[:, :3].toarray().argmax(axis=1)]
    ensemble = BranchEnsemble([["words"], ["words", "characters"]], **OPTIONS).fit(X, y)
    assert ensemble.coef_.shape == (3, 5)
    assert ensemble.decision_function(X).shape == (60, 3)
    alone = BranchEnsemble([["words"], ["words", "characters"]], **OPTIONS).fit(X, y == "b")
    np.testing.assert_allclose(ensemble.decision_function(X)[:, 1], alone.decision_function(X))
    assert (ensemble.predict(X) == y).mean() > 0.8
    np.testing.assert_allclose(ensemble.predict_proba(X).sum(axis=1), 1)


def test_weights_of_several_labels_count():
    y = np.array(["a", "b", "c"], object)[X[:, :3].toarray().argmax(axis=1)]
    weights = {"a": 100.0, "b": 1.0, "c": 1.0}
    plain, weighted = (
        BranchEnsemble([["words"]], class_weight=each, **OPTIONS).fit(X, y)
        for each in (None, weights)
    )
    assert (weighted.predict(X) == "a").sum() > (plain.predict(X) == "a").sum()
