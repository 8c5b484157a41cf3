"""Choose the probability from which a message has the positive label.

A false-positive rate is turned into a threshold by operating points: what thresholds achieve on
out-of-fold predictions of the training set, so that the test set can measure the one chosen. They
stand in a file beside the model, which names the model by its digest.
"""

from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.errors import UserError
from core.files import write_text
from core.params import Params, read_params
from models.store import read_digest

# Few enough that the last bits of a sum, which depend on the processor, rarely show.
DIGITS = 9


class ThresholdParams(Params):
    """What ``params.yaml`` says of the operating point."""

    model_config = ConfigDict(extra="ignore")

    threshold: float = Field(gt=0, lt=1)


class OperatingPoint(BaseModel):
    """What a threshold achieves: recall, and the share of negatives taken for positives."""

    threshold: float = Field(ge=0, le=1)
    recall: float = Field(ge=0, le=1)
    fpr: float = Field(ge=0, le=1)


class OperatingPoints(BaseModel):
    """The operating points of the model whose file has this digest, highest threshold first."""

    model_config = ConfigDict(protected_namespaces=())

    model_sha256: str
    points: list[OperatingPoint] = Field(min_length=1)


def find_operating_points(is_positive: np.ndarray, probability: np.ndarray) -> list[OperatingPoint]:
    """Return for each number of false positives the lowest threshold worth choosing.

    Parameters
    ----------
    is_positive : ndarray of bool, shape (n_rows,)
        The truth. Both classes must be there.
    probability : ndarray of float, shape (n_rows,)
        Predicted probability of the positive class.

    Returns
    -------
    list of OperatingPoint
        Highest threshold first. Each threshold is the probability of a positive row, and finds
        more of them than those before it.
    """
    thresholds = np.unique(probability[is_positive].round(DIGITS))[::-1]
    recall, fpr = (
        1 - np.searchsorted(np.sort(scores.round(DIGITS)), thresholds, side="left") / len(scores)
        for scores in (probability[is_positive], probability[~is_positive])
    )
    is_last = np.append(np.diff(fpr) > 0, True)
    return [
        OperatingPoint(threshold=t, recall=round(r, 6), fpr=round(f, 6))
        for t, r, f in zip(thresholds[is_last].tolist(), recall[is_last], fpr[is_last], strict=True)
    ]


def write_points(points: list[OperatingPoint], model: Path, path: Path) -> None:
    """Write the operating points of the model in this file."""
    content = OperatingPoints(model_sha256=read_digest(model), points=points)
    write_text(content.model_dump_json(indent=2) + "\n", path)


def name_points(model: Path) -> Path:
    """Return where the operating points of a model stand: beside it."""
    return model.with_suffix(".points.json")


def read_points(path: Path, model: Path, sha256: str) -> list[OperatingPoint]:
    """Return the operating points of a model.

    Parameters
    ----------
    path : Path
        What ``write_points`` wrote.
    model : Path
        The model's file, for messages.
    sha256 : str
        Of that file.

    Raises
    ------
    UserError
        If there is no such file.
    UserError
        If it is not such a file, or is of another model.
    """
    if not path.is_file():
        raise UserError(
            f"{path} does not exist, --max-fpr needs it: run 'dvc repro' to make it, "
            "or name the model's own with --points"
        )
    try:
        found = OperatingPoints.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise UserError(
            f"{path} does not hold operating points: run 'dvc repro' to make it again"
        ) from error
    if found.model_sha256 != sha256:
        raise UserError(
            f"{path} holds the operating points of model {found.model_sha256[:12]}, but {model} is "
            f"model {sha256[:12]}: run 'dvc repro', or name the model's own with --points"
        )
    return found.points


def find_operating_point(points: list[OperatingPoint], max_fpr: float) -> OperatingPoint | None:
    """Return the point of the lowest threshold with at most this rate; None if all have more."""
    within = [point for point in points if point.fpr <= max_fpr]
    return min(within, key=lambda point: point.threshold, default=None)


def check_share(name: str, value: float | None) -> None:
    """Raise ``UserError`` if the value of an option is not from 0 to 1."""
    if value is not None and not 0 <= value <= 1:
        raise UserError(f"{name} is {value:g}: give a number from 0 to 1")


def choose_threshold(
    threshold: float | None,
    max_fpr: float | None,
    points: Path | None,
    model: Path,
    sha256: str,
    params_file: Path,
) -> float:
    """Return the threshold that is given, or found for a rate, or else the parameters'.

    Parameters
    ----------
    threshold : float or None
        The threshold itself.
    max_fpr : float or None
        The false-positive rate to find a threshold for.
    points : Path or None
        The model's operating points, needed for that; None: those beside it.
    model : Path
        The model's file.
    sha256 : str
        Of that file.
    params_file : Path
        The parameters, needed if neither is given.

    Raises
    ------
    UserError
        If a file that is needed does not exist.
    UserError
        If a value is out of range, or a file not what it should be.
    """
    check_share("--threshold", threshold)
    check_share("--max-fpr", max_fpr)
    if threshold is not None:
        return threshold
    if max_fpr is not None:
        found = read_points(points or name_points(model), model, sha256)
        point = find_operating_point(found, max_fpr)
        if point is None:
            lowest = min(each.fpr for each in found)
            raise UserError(
                f"no threshold that finds anything has a false-positive rate of {max_fpr:g} or "
                f"less: give --max-fpr {lowest:g} or more"
            )
        return point.threshold
    return read_params(params_file, "model_evaluation", ThresholdParams).threshold
