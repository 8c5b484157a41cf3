"""Decide whether a model may replace another: metrics of the same rows, and tolerances."""

import logging
from pathlib import Path

import pandas as pd
from pydantic import Field, model_validator

from core.errors import UserError
from core.params import Params
from core.tables import read_table
from evaluation.metrics import find_loss
from evaluation.scores import Scored

# Of guards that compare what the stage robustness measured: each version on its own test set.
ROBUSTNESS_PREFIX = "robustness."

logger = logging.getLogger(__name__)


class Guard(Params):
    """A metric that a promotion must not make worse by more than a tolerance.

    ``tolerance`` is in the unit of the metric, ``relative_tolerance`` a share of the current
    model's value: for errors in the unit of the target.
    """

    metric: str
    tolerance: float | None = Field(None, ge=0)
    relative_tolerance: float | None = Field(None, ge=0)

    @model_validator(mode="after")
    def one_is_given(self) -> "Guard":
        """Raise ``ValueError`` unless one of the two tolerances is given."""
        if (self.tolerance is None) == (self.relative_tolerance is None):
            raise ValueError("give either tolerance or relative_tolerance")
        return self

    def find_tolerance(self, current: float) -> float:
        """Return the tolerance in the unit of the metric."""
        if self.tolerance is not None:
            return self.tolerance
        return abs(current) * float(self.relative_tolerance or 0)


class PromotionParams(Params):
    """The section ``promotion`` of ``params.yaml``."""

    guards: list[Guard]


def keep_common_rows(scored: dict[str, Scored], n_rows: int) -> dict[str, Scored]:
    """Return the rows for which every version predicts; warn of versions that reject some.

    Raises
    ------
    UserError
        If there is none.
    """
    if all(len(each.df) == n_rows for each in scored.values()):
        return scored
    for version, each in scored.items():
        if rejected := n_rows - len(each.df):
            logger.warning(
                "%s rejects %d of the %d rows of this test set: the others are compared",
                version,
                rejected,
                n_rows,
            )
    common = set.intersection(*(set(each.df["row"]) for each in scored.values()))
    if not common:
        raise UserError("no row of the test set is accepted by both")
    return {
        version: each.take(each.df["row"].isin(common).to_numpy())
        for version, each in scored.items()
    }


def count_known(test_set: Path, training_set: Path, columns: list[str]) -> int:
    """Return how many rows of a test set have the features of a row of a training set.

    It is 0 if the training set lacks one of the columns: then it cannot be known.
    """
    try:
        test, train = (
            pd.util.hash_pandas_object(read_table(path, columns), index=False)
            for path in (test_set, training_set)
        )
    except UserError as error:
        logger.warning("rows of the test set were not looked for in the training set: %s", error)
        return 0
    return int(test.isin(train).sum())


def compare_guarded(
    candidate: dict[str, float], current: dict[str, float], guards: list[Guard]
) -> pd.DataFrame:
    """Return a row for each guarded metric; robustness only if it was measured for both.

    Raises
    ------
    UserError
        If there is no such metric.
    """
    rows = []
    both = (candidate, current)
    has_robustness = all(
        any(name.startswith(ROBUSTNESS_PREFIX) for name in metrics) for metrics in both
    )
    for guard in guards:
        if guard.metric.startswith(ROBUSTNESS_PREFIX) and not has_robustness:
            continue
        if any(guard.metric not in metrics for metrics in both):
            raise UserError(
                f"promotion.guards: there is no metric {guard.metric!r}",
                f"choose one of {', '.join(name for name in candidate if name in current)}",
            )
        values = [metrics[guard.metric] for metrics in both]
        lost, before = (find_loss(guard.metric, value) for value in values)
        # Without the last bits of the difference.
        worse = float(f"{lost - before:.6g}")
        tolerance = guard.find_tolerance(current[guard.metric])
        rows.append(
            {
                "metric": guard.metric,
                "candidate": candidate[guard.metric],
                "current": current[guard.metric],
                "worse_by": max(worse, 0.0),
                "tolerance": tolerance,
                "is_refused": worse > tolerance,
            }
        )
    return pd.DataFrame(rows)
