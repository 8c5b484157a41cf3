"""Change how many rows each label has, by imbalanced-learn, in what a classifier is fitted on."""

import importlib
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp

from core.errors import UserError
from records.tasks import Task

Resampling = Literal["none", "smote_tomek", "smote", "random_over", "random_under"]
# The module and class of each.
RESAMPLERS = {
    "smote_tomek": ("imblearn.combine", "SMOTETomek"),
    "smote": ("imblearn.over_sampling", "SMOTE"),
    "random_over": ("imblearn.over_sampling", "RandomOverSampler"),
    "random_under": ("imblearn.under_sampling", "RandomUnderSampler"),
}
Matrix = sp.csr_matrix | np.ndarray


def build_resampler(name: Resampling, random_state: int, task: Task) -> Any:
    """Return what resamples features and labels by ``fit_resample``, or None for ``none``.

    Raises
    ------
    UserError
        If the target is no label, or imbalanced-learn is not installed.
    """
    if name == "none":
        return None
    if not task.has_classes:
        raise UserError(
            f"model_building.resampling: task {task.name} has no labels to balance",
            "set it to none",
        )
    module, class_name = RESAMPLERS[name]
    try:
        resampler_class = getattr(importlib.import_module(module), class_name)
    except ModuleNotFoundError as error:
        raise UserError(
            f"model_building.resampling: {name} needs the package imbalanced-learn, "
            "which is not installed",
            "run 'pip install -r requirements-boosting.txt'",
        ) from error
    return resampler_class(random_state=random_state)
