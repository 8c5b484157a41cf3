"""The mean of linear models of different branches of features, which is a linear model itself."""

from collections.abc import Mapping, Sequence

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.utils.class_weight import compute_sample_weight

from models.probability import list_probabilities


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
    classes_ : ndarray of shape (n_labels,)
        The labels.
    coef_ : ndarray of float64, shape (1, n_features) or (n_labels, n_features)
        Mean weights, of the second label or of each of more labels.
    intercept_ : ndarray of float64, shape (1,) or (n_labels,)
        Mean intercepts.
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
        self.classes_ = np.unique(y)
        if len(self.classes_) == 2:
            problems, options = [y], {"class_weight": self.class_weight}
            weights = None
        else:
            # Each label against all others; weights are of the labels, not of the problems.
            problems, options = [y == label for label in self.classes_], {}
            weights = compute_sample_weight(self.class_weight, y)
        self.coef_ = np.zeros((len(problems), X.shape[1]))
        self.intercept_ = np.zeros(len(problems))
        for names in chosen:
            columns = np.concatenate([np.arange(*branches[name]) for name in names])
            of_columns = X[:, columns]
            for number, problem in enumerate(problems):
                model = self.build_member(**options).fit(of_columns, problem, weights)
                self.coef_[number, columns] += model.coef_[0] / len(chosen)
                self.intercept_[number] += model.intercept_[0] / len(chosen)
        self.n_features_in_ = X.shape[1]
        return self

    def build_member(self, **options: object) -> LogisticRegression:
        """Return one unfitted logistic regression.

        liblinear's dual solver gives the same bits on every processor.
        """
        return LogisticRegression(
            C=self.C,
            tol=self.tol,
            random_state=self.random_state,
            **options,
            solver="liblinear",
            dual=True,
            max_iter=1000,
        )

    def calibrate(self, slope: float, offset: float) -> None:
        """Scale the scores, so that they are logits of the labels' probabilities."""
        self.coef_ = self.coef_ * slope
        self.intercept_ = self.intercept_ * slope + offset

    def decision_function(self, X: sp.csr_matrix) -> np.ndarray:
        """Return the score of the second label, shape (n_rows,), or of each of more labels."""
        if len(self.classes_) == 2:
            return X @ self.coef_[0] + self.intercept_[0]
        return X @ self.coef_.T + self.intercept_

    def predict_proba(self, X: sp.csr_matrix) -> np.ndarray:
        """Return the probability of each label, shape (n_rows, n_labels)."""
        return list_probabilities(self.decision_function(X))

    def predict(self, X: sp.csr_matrix) -> np.ndarray:
        """Return the most probable label of each row, shape (n_rows,)."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]
