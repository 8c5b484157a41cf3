"""Choose the threshold: the probability at and above which a message gets the positive label.

Operating points list the recall and false-positive rate of thresholds on out-of-fold predictions
of the training set. With them a threshold can be chosen for a given false-positive rate, and the
test set still measures it fairly. They are in a file beside the model, with the model's SHA-256.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.errors import UserError
from core.files import write_text
from core.params import Params, read_params
from models.conformal import PredictionInterval
from models.store import read_digest

# Rounding hides the last bits of a probability, which depend on the processor.
DIGITS = 9


class ThresholdParams(Params):
    """The default threshold, from section ``model_evaluation`` of params.yaml."""

    model_config = ConfigDict(extra="ignore")

    threshold: float = Field(gt=0, lt=1)


class OperatingPoint(BaseModel):
    """A threshold with its recall and false-positive rate."""

    threshold: float = Field(ge=0, le=1)
    recall: float = Field(ge=0, le=1)
    fpr: float = Field(ge=0, le=1)


class OperatingPoints(BaseModel):
    """What out-of-fold predictions show of a model, and the SHA-256 of its file.

    Attributes
    ----------
    model_sha256 : str
        Of the model's file.
    points : list of OperatingPoint
        Highest threshold first; only a binary task has some.
    intervals : list of PredictionInterval
        Narrowest first; only a regression has some.
    """

    model_config = ConfigDict(protected_namespaces=())

    model_sha256: str
    points: list[OperatingPoint]
    intervals: list[PredictionInterval] = []


def compute_operating_points(
    is_positive: np.ndarray, probability: np.ndarray
) -> list[OperatingPoint]:
    """Return, for each number of false positives, the threshold with the highest recall.

    Parameters
    ----------
    is_positive : ndarray of bool, shape (n_rows,)
        The true labels. Both classes must occur.
    probability : ndarray of float, shape (n_rows,)
        Predicted probability of the positive class.

    Returns
    -------
    list of OperatingPoint
        Highest threshold first. Each threshold is the probability of a positive row, and has a
        higher recall than those before it.
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


def write_points(
    points: list[OperatingPoint],
    model: Path,
    path: Path,
    intervals: Sequence[PredictionInterval] = (),
) -> None:
    """Write operating points or intervals of a model, with the SHA-256 of its file."""
    content = OperatingPoints(
        model_sha256=read_digest(model), points=points, intervals=list(intervals)
    )
    write_text(content.model_dump_json(indent=2, exclude_defaults=True) + "\n", path)


def name_points(model: Path) -> Path:
    """Return the default path of a model's operating points: beside the model."""
    return model.with_suffix(".points.json")


def read_points(path: Path, model: Path, sha256: str) -> list[OperatingPoint]:
    """Read the operating points of a binary model.

    Parameters
    ----------
    path, model, sha256
        As of ``read_model_points``.

    Raises
    ------
    UserError
        As ``read_model_points`` does, and if there are no points.
    """
    points = read_model_points(path, model, sha256).points
    if not points:
        raise UserError(
            f"{path} has no operating points: {model} does not choose between two labels",
            "leave out --max-fpr",
        )
    return points


def read_model_points(
    path: Path, model: Path, sha256: str, use: str = "--max-fpr"
) -> OperatingPoints:
    """Read the operating points and intervals of a model.

    Parameters
    ----------
    path : Path
        A file that ``write_points`` wrote.
    model : Path
        The model's file, for messages.
    sha256 : str
        The SHA-256 of the model's file.
    use : str
        What needs the file, for messages.

    Raises
    ------
    UserError
        If the file does not exist, is not valid, or belongs to another model.
    """
    if not path.is_file():
        raise UserError(
            f"{path} does not exist, {use} needs it",
            "run 'dvc repro' to make it, or name the model's operating points with --points",
        )
    try:
        found = OperatingPoints.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise UserError(
            f"{path} does not hold operating points", "run 'dvc repro' to make it again"
        ) from error
    if found.model_sha256 != sha256:
        raise UserError(
            f"{path} holds the operating points of model {found.model_sha256[:12]}, but {model} is "
            f"model {sha256[:12]}",
            "run 'dvc repro', or name this model's operating points with --points",
        )
    return found


def choose_operating_point(points: list[OperatingPoint], max_fpr: float) -> OperatingPoint | None:
    """Return the lowest threshold whose false-positive rate is at most ``max_fpr``, or None."""
    within = [point for point in points if point.fpr <= max_fpr]
    return min(within, key=lambda point: point.threshold, default=None)


def check_share(name: str, value: float | None) -> None:
    """Raise ``UserError`` if an option has a value that is not from 0 to 1."""
    if value is not None and not 0 <= value <= 1:
        raise UserError(f"{name} is {value:g}", "give a number from 0 to 1")


def choose_threshold(
    threshold: float | None,
    max_fpr: float | None,
    points: Path | None,
    model: Path,
    sha256: str,
    params_file: Path,
) -> float:
    """Return ``threshold``, else one chosen for ``max_fpr``, else that of the parameters.

    Parameters
    ----------
    threshold : float or None
        Returned as it is if given.
    max_fpr : float or None
        The highest false-positive rate that the threshold may have.
    points : Path or None
        The operating points to choose from; None: those beside the model.
    model : Path
        The model's file.
    sha256 : str
        The SHA-256 of the model's file.
    params_file : Path
        Read only if neither ``threshold`` nor ``max_fpr`` is given.

    Raises
    ------
    UserError
        If a value is out of range, or a necessary file does not exist or is not valid.
    """
    check_share("--threshold", threshold)
    check_share("--max-fpr", max_fpr)
    if threshold is not None:
        return threshold
    if max_fpr is not None:
        found = read_points(points or name_points(model), model, sha256)
        point = choose_operating_point(found, max_fpr)
        if point is None:
            lowest = min(each.fpr for each in found)
            raise UserError(
                "no threshold with a recall above 0 has a false-positive rate of "
                f"{max_fpr:g} or less",
                f"give --max-fpr {lowest:g} or more",
            )
        return point.threshold
    return read_params(params_file, "model_evaluation", ThresholdParams).threshold
