"""The probability of the positive label."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

# The last digits of a probability depend on the processor.
DECIMALS = 9


def predict_positive(model: BaseEstimator, positive: str, X: Any) -> np.ndarray:
    """Return the probability of the label ``positive`` for each row of ``X``, rounded.

    Parameters
    ----------
    model : classifier or Pipeline
        Fitted, with ``predict_proba``.
    positive : str
        One of its labels.
    X : csr_matrix or list of str, shape (n_rows,) or (n_rows, n_features)
        Features of a classifier, messages of a pipeline.

    Returns
    -------
    ndarray of float, shape (n_rows,)
        From 0 to 1.
    """
    column = list(model.classes_).index(positive)
    return model.predict_proba(X)[:, column].astype(float).round(DECIMALS)
