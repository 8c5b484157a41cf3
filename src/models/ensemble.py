"""The mean of linear models of different branches of features, which is a linear model itself."""

from collections.abc import Mapping, Sequence

import numpy as np
import scipy.sparse as sp
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression


class BranchEnsemble(ClassifierMixin, BaseEstimator):
    """Logistic regressions, each on some branches of the features, whose scores are averaged.

    A model of one branch cannot lean on the other, so the mean holds where one of them fails.
    Averaging scores (log odds) keeps the model linear: its weights are the mean of theirs.

    Parameters
    ----------
    members : sequence of sequence of str
        The branches of each logistic regression. Branches that the features lack are left out.
    branches : mapping of str to (int, int)
        First column of each branch, and the one after its last. Without branches there is one
        logistic regression of all features.
    C, tol, class_weight, random_state
        As of scikit-learn's LogisticRegression.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        The labels.
    coef_ : ndarray of float64, shape (1, n_features)
        Mean weights.
    intercept_ : ndarray of float64, shape (1,)
        Mean intercept.
    """

    def __init__(
        self,
        members: Sequence[Sequence[str]] = (),
        branches: Mapping[str, Sequence[int]] | None = None,
        C: float = 1.0,
        tol: float = 1e-4,
        class_weight: object = None,
        random_state: int | None = None,
    ) -> None:
        self.members = members
        self.branches = branches
        self.C = C
        self.tol = tol
        self.class_weight = class_weight
        self.random_state = random_state

    def fit(self, X: sp.csr_matrix, y: np.ndarray) -> "BranchEnsemble":
        """Fit every member on features, shape (n_rows, n_features), and labels.

        Raises
        ------
        ValueError
            If the features have none of the members' branches.
        """
        branches = self.branches or {"all": (0, X.shape[1])}
        members = self.members if self.branches else [["all"]]
        found = [tuple(name for name in names if name in branches) for names in members]
        # Members that are equal without the missing branches count once.
        chosen = list(dict.fromkeys(filter(None, found)))
        if not chosen:
            raise ValueError(
                f"model_building.params.members has none of the branches {', '.join(branches)}"
            )
        coef, intercept = np.zeros(X.shape[1]), 0.0
        for names in chosen:
            columns = np.concatenate([np.arange(*branches[name]) for name in names])
            model = self.build_member().fit(X[:, columns], y)
            coef[columns] += model.coef_[0] / len(chosen)
            intercept += model.intercept_[0] / len(chosen)
        self.classes_ = model.classes_
        self.coef_, self.intercept_ = coef[None, :], np.array([intercept])
        self.n_features_in_ = X.shape[1]
        return self

    def build_member(self) -> LogisticRegression:
        """Return one unfitted logistic regression.

        liblinear's dual solver gives the same bits on every processor.
        """
        return LogisticRegression(
            C=self.C,
            tol=self.tol,
            class_weight=self.class_weight,
            random_state=self.random_state,
            solver="liblinear",
            dual=True,
            max_iter=1000,
        )

    def calibrate(self, slope: float, offset: float) -> None:
        """Scale the score, so that its logistic function is the probability of the second label."""
        self.coef_ = self.coef_ * slope
        self.intercept_ = self.intercept_ * slope + offset

    def decision_function(self, X: sp.csr_matrix) -> np.ndarray:
        """Return the score of each row, shape (n_rows,): the log odds of the second label."""
        return X @ self.coef_[0] + self.intercept_[0]

    def predict_proba(self, X: sp.csr_matrix) -> np.ndarray:
        """Return the probabilities of both labels, shape (n_rows, 2)."""
        probability = expit(self.decision_function(X))
        return np.column_stack([1 - probability, probability])

    def predict(self, X: sp.csr_matrix) -> np.ndarray:
        """Return the more probable label of each row, shape (n_rows,)."""
        return self.classes_[(self.decision_function(X) > 0).astype(int)]
