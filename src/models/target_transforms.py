"""Fit a regressor on another scale of the target."""

from typing import Literal

import numpy as np
from sklearn.base import BaseEstimator

from core.errors import UserError
from models.adapted import LogRegressor
from records.tasks import Task

TargetTransform = Literal["none", "log"]


def transform_target(
    estimator: BaseEstimator, transform: TargetTransform, task: Task
) -> BaseEstimator:
    """Return an estimator that is fitted on the target as it is, or on log(1 + target).

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
    return LogRegressor(estimator)


def check_range(y: np.ndarray, transform: TargetTransform) -> None:
    """Raise ``UserError`` if a target is too low for its transformation."""
    if transform != "none" and (lowest := y.min()) < 0:
        raise UserError(
            f"model_building.target_transform: {transform} needs a target of at least 0, "
            f"the lowest is {lowest:g}",
            "set it to none",
        )
