"""Choose the probability from which a message has the positive label."""

import json
from pathlib import Path

from pydantic import ConfigDict, Field

from core.params import Params, read_params


class ThresholdParams(Params):
    """What ``params.yaml`` says of the operating point."""

    model_config = ConfigDict(extra="ignore")

    threshold: float = Field(gt=0, lt=1)


def find_threshold(path: Path, max_fpr: float) -> float:
    """Return the lowest threshold whose false-positive rate on the test set is at most this.

    Parameters
    ----------
    path : Path
        The points of the ROC that the evaluation wrote.
    max_fpr : float
        The largest share of negatives that may be taken for positives.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not such a file, or every threshold that finds anything has a larger rate.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist, --max-fpr needs it: run 'dvc repro'")
    try:
        points = json.loads(path.read_text(encoding="utf-8"))["roc"]
        threshold = min(point["threshold"] for point in points if point["fpr"] <= max_fpr)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not the ROC of an evaluation: make it anew") from error
    if threshold > 1:
        raise ValueError(f"no threshold that finds anything has a rate of {max_fpr:g} or less")
    return threshold


def choose_threshold(
    threshold: float | None, max_fpr: float | None, roc: Path, params_file: Path
) -> float:
    """Return the threshold that is given, or found for a rate, or else the parameters'.

    Parameters
    ----------
    threshold : float or None
        The threshold itself.
    max_fpr : float or None
        The false-positive rate to find a threshold for.
    roc : Path
        The points of the ROC, needed for that.
    params_file : Path
        The parameters, needed if neither is given.

    Raises
    ------
    FileNotFoundError
        If a file that is needed does not exist.
    ValueError
        If a value is out of range, or a file not what it should be.
    """
    for name, value in (("--threshold", threshold), ("--max-fpr", max_fpr)):
        if value is not None and not 0 <= value <= 1:
            raise ValueError(f"{name} is {value:g}: give a number from 0 to 1")
    if threshold is not None:
        return threshold
    if max_fpr is not None:
        return find_threshold(roc, max_fpr)
    return read_params(params_file, "model_evaluation", ThresholdParams).threshold
