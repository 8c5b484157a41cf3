"""Measure split-conformal prediction intervals of a regression on the test set."""

import json
from pathlib import Path

import numpy as np

from core.errors import UserError
from evaluation.intervals import draw, find_strata, measure_rates

# The predictions are divided into so many parts of equal size.
N_PARTS = 5


def read_intervals(path: Path, model: Path, sha256: str) -> list[dict[str, float]]:
    """Return the margins of prediction intervals that were stored with a model.

    Returns
    -------
    list of dict
        ``coverage`` and ``margin`` of each; none if none was stored.

    Raises
    ------
    UserError
        If the file does not exist, is no such file, or belongs to another model.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        owner, intervals = found["model_sha256"], found.get("intervals") or []
        pairs = [{name: float(each[name]) for name in ("coverage", "margin")} for each in intervals]
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist", "run 'dvc repro' to make it") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path} does not hold prediction intervals", "run 'dvc repro' to make it again"
        ) from error
    if owner != sha256:
        raise UserError(
            f"{path} holds the prediction intervals of model {owner[:12]}, but {model} is model "
            f"{sha256[:12]}",
            "run 'dvc repro' to make both again",
        )
    return pairs


def choose_interval(intervals: list[dict[str, float]], coverage: float) -> dict[str, float] | None:
    """Return the interval whose coverage is nearest to the wanted one, None if there is none."""
    return min(intervals, key=lambda each: abs(each["coverage"] - coverage), default=None)


def measure_coverage(
    actual: np.ndarray,
    predicted: np.ndarray,
    groups: np.ndarray,
    margin: float,
    n_samples: int,
    random_state: int,
) -> tuple[dict[str, dict], dict[str, dict]]:
    """Return the share of rows within the interval and its width, of all rows and of each fifth.

    The fifths are of the rows ordered by their prediction.

    Returns
    -------
    metrics : dict of str to dict
        ``rows``, ``coverage``, ``width``, by name of the part.
    intervals : dict of str to dict
        The 95% interval of ``coverage``, by name of the part.
    """
    is_inside = np.abs(predicted - actual) <= margin
    order = np.argsort(predicted, kind="stable")
    parts = {"all": np.arange(len(actual))}
    for part in np.array_split(order, N_PARTS):
        if len(part):
            ends = predicted[part[0]], predicted[part[-1]]
            # Two parts of a model with few different predictions may have equal ends.
            name = f"{ends[0]:.6g} to {ends[1]:.6g}"
            parts[name] = np.concatenate([parts.get(name, part[:0]), part])
    metrics, intervals = {}, {}
    width = float(f"{2 * margin:.9g}")
    for name, rows in parts.items():
        strata = find_strata(np.zeros(len(rows), int), groups[rows])
        weights = draw(*strata, n_samples, np.random.default_rng(random_state))
        every = np.ones(len(rows), bool)
        [found] = measure_rates(is_inside[None, rows], every, groups[rows], weights)
        metrics[name] = {"rows": len(rows), "coverage": found["rate"], "width": width}
        intervals[name] = {"coverage": {end: found[end] for end in ("low", "high")}}
    return metrics, intervals
