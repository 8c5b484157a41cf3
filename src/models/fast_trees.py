"""Sum the trees of scikit-learn's histogram boosting several times faster, with the same result.

scikit-learn follows each tree from its root, one comparison after the other, which a processor
cannot predict. Here a row looks up, for each feature, which leaves of all trees the value of that
feature leaves possible; of each tree exactly one leaf is possible for all features. The method is
that of QuickScorer (Lucchese et al., SIGIR 2015).

The model file stays a scikit-learn pipeline. The tables are derived from it when it first predicts,
and used only if both ways give the same numbers, to the last bit, for rows around all thresholds.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

logger = logging.getLogger(__name__)

# Rows for which the possible leaves of all trees fit into the cache of a processor.
BLOCK_ROWS = 256
# Features are looked up together while there are at most so many combinations of their values.
MOST_CODES = 512
# Larger tables do not fit into the cache, and there scikit-learn is as fast.
MOST_CELLS = 6_000_000
# Rows that are predicted in both ways before the fast one is used.
N_PROBES = 64


@dataclass(frozen=True)
class Lookup:
    """Which leaves some features leave possible.

    Attributes
    ----------
    thresholds : dict of int to ndarray of float64
        For each feature the thresholds that any tree compares it with, in ascending order.
    leaves : ndarray of int, shape (n_codes, n_trees)
        A bit for each leaf of a tree, for each combination of the features' codes: how many
        thresholds are below the value, or one more than their number if it is missing.
    """

    thresholds: dict[int, np.ndarray]
    leaves: np.ndarray

    def number_values(self, X: np.ndarray) -> np.ndarray:
        """Return the code of each row, shape (n_rows,)."""
        codes = np.zeros(len(X), np.intp)
        for feature, thresholds in self.thresholds.items():
            values = np.ascontiguousarray(X[:, feature])
            codes *= len(thresholds) + 2
            # NaN counts as larger than all thresholds.
            codes += np.searchsorted(thresholds, values) + np.isnan(values)
        return codes

    def join(self, other: "Lookup") -> "Lookup":
        """Return the lookup of the features of both."""
        leaves = self.leaves[:, None] & other.leaves[None]
        return Lookup({**self.thresholds, **other.thresholds}, leaves.reshape(-1, leaves.shape[2]))


class FastTrees:
    """Does what the method ``_raw_predict`` of scikit-learn's histogram boosting does.

    Parameters
    ----------
    estimator : HistGradientBoostingClassifier or HistGradientBoostingRegressor
        A fitted one.

    Raises
    ------
    TypeError
        If its trees have too many leaves, need too large tables, or compare categories.
    """

    def __init__(self, estimator: Any) -> None:
        trees = [tree.nodes for iteration in estimator._predictors for tree in iteration]
        n_leaves = max(int(nodes["is_leaf"].sum()) for nodes in trees)
        if n_leaves > 63 or any(nodes["is_categorical"].any() for nodes in trees):
            raise TypeError("trees with so many leaves, or of categories, have no fast way")
        # The bit of a leaf as an integer, and as a float whose exponent is the leaf's number.
        n_bytes = 4 if n_leaves <= 31 else 8
        self.integer, self.float = np.dtype(f"i{n_bytes}"), np.dtype(f"f{n_bytes}")
        self.n_digits = np.finfo(self.float).nmant
        self.n_features = estimator.n_features_in_
        self.baseline = estimator._baseline_prediction
        self.n_outputs = estimator.n_trees_per_iteration_
        self.values = np.zeros((len(trees), n_leaves))
        self.lookups = join_lookups(self.derive_lookups(trees))
        # Where the values of a tree begin, less the exponent that a float stores for 1.
        starts = np.arange(len(trees)) * n_leaves - (np.finfo(self.float).maxexp - 1)
        self.starts = starts.astype(self.integer)

    def derive_lookups(self, trees: Sequence[np.ndarray]) -> list[Lookup]:
        """Return the lookup of each feature that trees compare, and set the values of leaves."""
        splits = np.concatenate([nodes[nodes["is_leaf"] == 0] for nodes in trees])
        thresholds = {
            feature: np.unique(splits["num_threshold"][splits["feature_idx"] == feature])
            for feature in np.unique(splits["feature_idx"]).tolist()
        }
        if sum(len(each) + 2 for each in thresholds.values()) * len(trees) > MOST_CELLS:
            raise TypeError("the trees have too many thresholds for a fast way")
        # Bits that are no leaves are cleared, since each tree has a leaf for each value.
        leaves = {
            feature: np.full((len(trees), len(each) + 2), -1, self.integer)
            for feature, each in thresholds.items()
        }
        for place, nodes in enumerate(trees):
            self.add_tree(place, nodes, thresholds, leaves)
        return [
            Lookup({feature: each}, np.ascontiguousarray(leaves[feature].T))
            for feature, each in thresholds.items()
        ]

    def add_tree(
        self,
        place: int,
        nodes: np.ndarray,
        thresholds: dict[int, np.ndarray],
        leaves: dict[int, np.ndarray],
    ) -> None:
        """Add one tree to the tables."""
        is_leaf, lefts, rights = (nodes[name].tolist() for name in ("is_leaf", "left", "right"))
        features, limits = nodes["feature_idx"].tolist(), nodes["num_threshold"].tolist()
        missing_left = nodes["missing_go_to_left"].tolist()
        numbers = np.cumsum(nodes["is_leaf"]).tolist()
        self.values[place, : numbers[-1]] = nodes["value"][nodes["is_leaf"] == 1]
        below = [0] * len(nodes)
        # Children come after their parents.
        for node in range(len(nodes) - 1, -1, -1):
            if is_leaf[node]:
                below[node] = 1 << (numbers[node] - 1)
                continue
            left, right = below[lefts[node]], below[rights[node]]
            below[node] = left | right
            of_tree = leaves[features[node]][place]
            first_right = int(thresholds[features[node]].searchsorted(limits[node])) + 1
            of_tree[:first_right] &= ~right
            of_tree[first_right:-1] &= ~left
            of_tree[-1] &= ~(right if missing_left[node] else left)
        for of_feature in leaves.values():
            of_feature[place] &= below[0]

    def __call__(self, X: np.ndarray, n_threads: int | None = None) -> np.ndarray:  # noqa: ARG002
        """Return the sum of all trees, shape (n_rows, n_outputs)."""
        if X.ndim != 2 or X.shape[1] != self.n_features:
            raise ValueError(f"the trees need {self.n_features} features, not shape {X.shape}")
        raw = np.empty((len(X), self.n_outputs), order="F")
        codes = [lookup.number_values(X) for lookup in self.lookups]
        # Memory for one block, used again for each: to get it from the system takes longer. It has
        # at least two rows, since NumPy adds the numbers of a single one in another order.
        shape = (max(2, min(len(X), BLOCK_ROWS)), len(self.values))
        memory = [
            np.zeros(shape, dtype)
            for dtype in (self.integer, self.integer, self.float, self.values.dtype)
        ]
        terms = np.zeros((self.n_outputs + shape[1], shape[0]))
        terms[: self.n_outputs] = self.baseline.T
        for start in range(0, len(X), BLOCK_ROWS):
            n_rows = min(BLOCK_ROWS, len(X) - start)
            rows = slice(start, start + n_rows)
            reached, possible, floats, values = (each[:n_rows] for each in memory)
            reached[:] = 1
            for number, (lookup, of_rows) in enumerate(zip(self.lookups, codes, strict=True)):
                out = possible if number else reached
                lookup.leaves.take(of_rows[rows], axis=0, out=out, mode="clip")
                if number:
                    reached &= possible
            floats[:] = reached
            places = floats.view(self.integer)
            places >>= self.n_digits
            places += self.starts
            self.values.take(places, out=values, mode="clip")
            terms[self.n_outputs :, :n_rows] = values.T
            for output in range(self.n_outputs):
                sums = np.add.reduce(terms[output :: self.n_outputs], axis=0)
                raw[rows, output] = sums[:n_rows]
        return raw


def join_lookups(lookups: Sequence[Lookup]) -> list[Lookup]:
    """Join the lookups of features with few values, so that fewer are needed."""
    joined: list[Lookup] = []
    for lookup in sorted(lookups, key=lambda each: len(each.leaves)):
        if joined and len(joined[-1].leaves) * len(lookup.leaves) <= MOST_CODES:
            joined[-1] = joined[-1].join(lookup)
        else:
            joined.append(lookup)
    return joined


def make_probes(lookups: Sequence[Lookup], n_features: int) -> np.ndarray:
    """Return rows whose values are thresholds, the next larger numbers, and missing."""
    random = np.random.default_rng(0)
    X = np.zeros((N_PROBES, n_features))
    for lookup in lookups:
        for feature, thresholds in lookup.thresholds.items():
            values = [thresholds, np.nextafter(thresholds, np.inf), [np.nan, np.inf, -np.inf]]
            X[:, feature] = random.choice(np.concatenate(values), N_PROBES)
    return X


def find_boosting(estimator: Any) -> Any:
    """Return the histogram boosting within an estimator, None if it is something else."""
    while hasattr(estimator, "estimator_"):
        estimator = estimator.estimator_
    return estimator if hasattr(estimator, "_predictors") else None


def speed_up(pipeline: Pipeline) -> None:
    """Let a loaded model with histogram boosting predict fast; nothing changes if it cannot."""
    boosting = find_boosting(pipeline[-1])
    if boosting is None or "_raw_predict" in vars(boosting):
        return
    # scikit-learn's methods call an attribute of the object instead of their own.
    boosting._raw_predict = derive_trees(boosting) or boosting._raw_predict


def derive_trees(boosting: Any) -> FastTrees | None:
    """Return trees that predict the same numbers as fitted boosting; None if there are none."""
    try:
        fast = FastTrees(boosting)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        logger.debug("scikit-learn predicts: %s", error)
        return None
    probes = make_probes(fast.lookups, fast.n_features)
    if not np.array_equal(fast(probes), boosting._raw_predict(probes)):
        logger.warning("scikit-learn predicts, which is slow: the fast way gives other results")
        return None
    return fast
