"""Fit a regressor on another scale of the target."""

from typing import Literal

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.compose import TransformedTargetRegressor

from core.errors import UserError
from records.tasks import Task

TargetTransform = Literal["none", "log"]


def transform_target(
    estimator: BaseEstimator, transform: TargetTransform, task: Task
) -> BaseEstimator:
    """Return an estimator that is fitted on the target as it is, or on log(1 + target).

    The 1 lets a target be 0. Predictions are of the target as it is.

    Raises
    ------
    UserError
        If the target is a label.
    """
    if transform == "none":
        return estimator
    if task.has_classes:
        raise UserError(
            f"model_building.target_transform: task {task.name} has no number to transform",
            "set it to none",
        )
    # The check would compare values that rounding makes different.
    return TransformedTargetRegressor(
        estimator, func=np.log1p, inverse_func=np.expm1, check_inverse=False
    )


def check_range(y: np.ndarray, transform: TargetTransform) -> None:
    """Raise ``UserError`` if a target is too low for its transformation."""
    if transform != "none" and (lowest := y.min()) < 0:
        raise UserError(
            f"model_building.target_transform: {transform} needs a target of at least 0, "
            f"the lowest is {lowest:g}",
            "set it to none",
        )
