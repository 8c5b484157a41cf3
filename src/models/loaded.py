"""A model that is ready to use: its pipeline, its description, and how it decides."""

import hashlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import ConfigDict
from sklearn.pipeline import Pipeline

from core.errors import UserError
from core.params import Params, read_params
from models.conformal import PredictionInterval, find_margin
from models.description import Description, read_description
from models.predictions import PREDICTIONS, Decision, Prediction
from models.scoring import DIGEST_LENGTH
from models.self_test import check_code
from models.store import parse_model
from models.threshold import choose_threshold, name_points, read_model_points
from records.chunks import Columns
from records.new_rows import NewRows, name_columns

logger = logging.getLogger(__name__)


class CoverageParams(Params):
    """The usual coverage of prediction intervals, from section ``model_evaluation``."""

    model_config = ConfigDict(extra="ignore")

    interval_coverage: float


@dataclass(frozen=True)
class DecisionOptions:
    """What the user wants of a model's answers.

    Attributes
    ----------
    params : Path
        params.yaml, for what is not given.
    points : Path or None
        Operating points or intervals; None: those beside the model.
    threshold, max_fpr : float or None
        Least probability of the positive label, or the highest false-positive rate it may have.
    coverage : float or None
        Share of numbers within their interval.
    """

    params: Path
    points: Path | None = None
    threshold: float | None = None
    max_fpr: float | None = None
    coverage: float | None = None


@dataclass(frozen=True)
class LoadedModel:
    """A model that is ready to use.

    Attributes
    ----------
    pipeline : Pipeline
        From messages or typed rows to predictions.
    content : bytes
        Of the model's file, from which other processes load it.
    path : Path
        The model's file, for messages.
    sha256 : str
        Of the content, as 64 hexadecimal digits.
    description : Description
        What the model takes and gives.
    prediction, decision
        How models of the task predict, and what turns that into answers.
    columns : str or TableColumns
        What to read of a file: the column of messages, or the columns of a table.
    rows : NewRows or None
        What checks the rows of a table; None for messages.
    """

    pipeline: Pipeline
    content: bytes = field(repr=False)
    path: Path
    sha256: str
    description: Description
    prediction: Prediction
    decision: Decision
    columns: Columns
    rows: NewRows | None

    @property
    def version(self) -> str:
        """The start of the SHA-256."""
        return self.sha256[:DIGEST_LENGTH]


def load_model_for_use(
    content: bytes, path: Path, options: DecisionOptions, allow_changed_code: bool = False
) -> LoadedModel:
    """Load a model from the content of its file.

    Raises
    ------
    UserError
        If the file is no model of this repository or was built with other code, or an option does
        not fit its task.
    """
    pipeline = parse_model(content, path)
    description = read_description(pipeline, path)
    schema = description.data
    sha256 = hashlib.sha256(content).hexdigest()
    refuse_other_options(options, schema.task)
    decision = DECISIONS[schema.task](options, description, path, sha256)
    check_code(pipeline, path, allow_changed_code)
    columns: Columns
    rows = None
    if description.is_messages:
        columns = schema.text[0]
    else:
        needed = [column.name for column in description.columns if column.is_needed]
        columns = name_columns(schema, description.values)
        rows = NewRows(schema, description.values, needed)
    prediction = PREDICTIONS[schema.task]
    return LoadedModel(
        pipeline, content, path, sha256, description, prediction, decision, columns, rows
    )


# The options that each task has.
OPTIONS = {"binary": ("threshold", "max_fpr"), "multiclass": (), "regression": ("coverage",)}


def refuse_other_options(options: DecisionOptions, task: str) -> None:
    """Raise ``UserError`` if an option is given that the task does not have."""
    for name in ("threshold", "max_fpr", "coverage"):
        if getattr(options, name) is not None and name not in OPTIONS[task]:
            raise UserError(
                f"a model of task {task} has no --{name.replace('_', '-')}", "leave it out"
            )


@contextmanager
def naming(value: str, option: str, params: Path) -> Iterator[None]:
    """Raise ``UserError`` that names the value that is needed if there is no params.yaml."""
    try:
        yield
    except FileNotFoundError as error:
        raise UserError(
            f"{params} does not exist, model_evaluation.{value} is read from it",
            f"give {option}, or name the file with --params",
        ) from error


def decide_label(
    options: DecisionOptions, description: Description, path: Path, sha256: str
) -> Decision:
    """Return the labels and the threshold between them."""
    with naming("threshold", "--threshold", options.params):
        threshold = choose_threshold(
            options.threshold, options.max_fpr, options.points, path, sha256, options.params
        )
    return Decision(description.classes, threshold)


def decide_most_probable(_: DecisionOptions, description: Description, *__: object) -> Decision:
    """Return the labels to choose from."""
    return Decision(description.classes)


def decide_interval(
    options: DecisionOptions, description: Description, path: Path, sha256: str
) -> Decision:
    """Return the interval around numbers."""
    decision = Decision([], unit=description.target.unit or "")
    points = options.points or name_points(path)
    found = read_model_points(points, path, sha256, "a prediction interval").intervals
    if not found:
        logger.warning("no prediction intervals: %s was trained on too few rows", path)
        return decision
    if options.coverage is not None:
        margin = find_margin(found, options.coverage)
        interval = PredictionInterval(coverage=options.coverage, margin=margin)
    else:
        with naming("interval_coverage", "--coverage", options.params):
            params = read_params(options.params, "model_evaluation", CoverageParams)
        usual = params.interval_coverage
        interval = min(found, key=lambda each: abs(each.coverage - usual))
    return replace(decision, interval=interval)


DECISIONS: dict[str, Callable[[DecisionOptions, Description, Path, str], Decision]] = {
    "binary": decide_label,
    "multiclass": decide_most_probable,
    "regression": decide_interval,
}
