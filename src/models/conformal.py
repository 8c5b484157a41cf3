"""Intervals around predicted numbers, from residuals of out-of-fold predictions.

Reference: J. Lei et al., Distribution-free predictive inference for regression, 2018 (split
conformal prediction).
"""

import math
from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, Field

from core.errors import UserError

# Shares of rows whose number is to be within the interval.
COVERAGES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
# The last digits of a prediction depend on the processor.
DIGITS = 6


class PredictionInterval(BaseModel):
    """The number lies within the prediction plus or minus the margin, in a share of the rows."""

    coverage: float = Field(gt=0, lt=1)
    margin: float = Field(ge=0)


def compute_intervals(truth: np.ndarray, predicted: np.ndarray) -> list[PredictionInterval]:
    """Return the margin for each coverage, narrowest first.

    Coverages that need more rows than there are, are left out.

    Parameters
    ----------
    truth, predicted : ndarray of float, shape (n_rows,)
        Numbers, and predictions by models that were not fitted on their rows.
    """
    residuals = np.sort(np.abs(truth - predicted))
    # The interval holds for one more row, which is as likely at any place of the order.
    places = {
        coverage: math.ceil(round(coverage * (len(residuals) + 1), 9)) for coverage in COVERAGES
    }
    return [
        PredictionInterval(coverage=coverage, margin=float(f"{residuals[place - 1]:.{DIGITS}g}"))
        for coverage, place in places.items()
        if place <= len(residuals)
    ]


def find_margin(intervals: Sequence[PredictionInterval], coverage: float) -> float:
    """Return the margin of a coverage; raise ``UserError`` if there is none for it."""
    for interval in intervals:
        if interval.coverage == coverage:
            return interval.margin
    raise UserError(
        f"the model has no prediction interval for a coverage of {coverage:g}",
        "choose one of " + ", ".join(f"{interval.coverage:g}" for interval in intervals),
    )
