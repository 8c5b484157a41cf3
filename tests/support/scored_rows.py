"""Rows with a truth, a probability and a weight, and the metrics of them."""

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from evaluation.metrics import weighted_metrics

# Few distinct ones, so that rows tie with one another and with the threshold.
TENTHS = st.integers(0, 10).map(lambda n: n / 10)
ROWS = st.lists(st.tuples(st.booleans(), TENTHS, st.integers(0, 3)), min_size=2, max_size=20)


def make_arrays(rows: list[tuple]) -> tuple[np.ndarray, ...]:
    """Return truth, probability and weights of rows in which both classes have a weight."""
    truth, probability, weights = (np.array(column) for column in zip(*rows, strict=True))
    assume(weights[truth].sum() > 0)
    assume(weights[~truth].sum() > 0)
    return truth, probability, weights


def measure(
    truth: np.ndarray,
    probability: np.ndarray,
    weights: np.ndarray | None = None,
    threshold: float = 0.5,
    max_fpr: float = 0.1,
) -> dict[str, float]:
    """Return the metrics of rows, each with a weight of 1 unless given."""
    weights = np.ones(len(truth)) if weights is None else weights
    values = weighted_metrics(truth, probability, weights[None], threshold, max_fpr)
    return {name: value.item() for name, value in values.items()}
