"""Turn scores into probabilities: by a sigmoid for two labels, by a temperature for more."""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression

from models.folds import NEVER
from models.probability import logistic

# The last digits of a fitted slope depend on the processor.
DIGITS = 6
# Logarithms of the least and the largest slope of a temperature.
LOG_SLOPES = (-10, 10)


def fit_scale(scores: np.ndarray, codes: np.ndarray) -> tuple[float, float]:
    """Return slope and offset by which scores become logits.

    Parameters
    ----------
    scores : ndarray of float, shape (n_rows,) or (n_rows, n_labels)
        Of the second label, or of each of more labels.
    codes : ndarray of int or bool, shape (n_rows,)
        The number of each row's label.
    """
    return fit_sigmoid(scores, codes == 1) if scores.ndim == 1 else fit_temperature(scores, codes)


def fit_sigmoid(scores: np.ndarray, is_second: np.ndarray) -> tuple[float, float]:
    """Return slope and offset by which the logistic function of a score is a probability.

    Reference: J. Platt, Probabilistic outputs for support vector machines, 1999, whose smoothed
    targets keep the slope finite where no score is wrong.
    """
    n_second = is_second.sum()
    target = np.where(is_second, (n_second + 1) / (n_second + 2), 1 / (len(scores) - n_second + 2))
    model = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000)
    twice = np.concatenate([scores, scores])[:, None]
    label = np.repeat([1, 0], len(scores))
    model.fit(twice, label, sample_weight=np.concatenate([target, 1 - target]))
    return round(float(model.coef_[0, 0]), DIGITS), round(float(model.intercept_[0]), DIGITS)


def fit_temperature(scores: np.ndarray, codes: np.ndarray) -> tuple[float, float]:
    """Return the slope by which the softmax of scores has the lowest log loss; the offset is 0.

    Reference: C. Guo et al., On calibration of modern neural networks, 2017. The slope is one over
    their temperature.
    """
    rows = np.arange(len(codes))

    def measure_loss(log_slope: float) -> float:
        return -log_softmax(np.exp(log_slope) * scores, axis=1)[rows, codes].mean()

    found = minimize_scalar(measure_loss, bounds=LOG_SLOPES, method="bounded")
    return round(float(np.exp(found.x)), DIGITS), 0.0


def cross_calibrate(scores: np.ndarray, codes: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Turn out-of-fold scores into probabilities, those of a fold by the scale of the others.

    Parameters
    ----------
    scores, codes
        As of ``fit_scale``.
    folds : ndarray of int, shape (n_rows,)
        The fold in which each row is held out; ``NEVER`` gives NaN.
    """
    probability = np.full(scores.shape, np.nan)
    for fold in np.unique(folds[folds != NEVER]):
        is_held_out = folds == fold
        others = (folds != NEVER) & ~is_held_out
        slope, offset = fit_scale(scores[others], codes[others])
        probability[is_held_out] = logistic(slope * scores[is_held_out] + offset)
    return probability
