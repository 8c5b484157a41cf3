"""Predict for a test set with the code of any release, and compute metrics from what it wrote."""

import sys
from pathlib import Path

import pyarrow.parquet as pq

from core.errors import UserError
from core.processes import run
from core.tables import read_table
from evaluation.scores import EvaluationParams, Scored, compute_values
from evaluation.tasks import EVALUATIONS
from records.schema import Schema
from records.tables import read_rows

# Of the columns that predict adds.
PREFIX = "given_"
# What argparse says of an option that a release does not have.
UNKNOWN_OPTION = "unrecognized arguments"


def predict_test_set(code: Path, model: Path, test_set: Path, output: Path, schema: Schema) -> None:
    """Have the code in a checkout predict for a test set.

    Parameters
    ----------
    code : Path
        The checkout, with the params.yaml to use.
    model : Path
        The model, with its operating points or intervals beside it.
    test_set, output : Path
        Parquet files to read and to write.
    schema : Schema
        Of the test set.

    Raises
    ------
    UserError
        If that code cannot predict from the test set.
    """
    program = (sys.executable, str(code / "src"), "predict")
    paths = ("--input", str(test_set), "--output", str(output), "--model", str(model))
    command = (*program, *paths, "--params", str(code / "params.yaml"), "--prefix", PREFIX)
    options = EVALUATIONS[schema.task].predict_options
    try:
        run(*command, *options)
    except UserError as error:
        # Before there was the option, predict wrote what it asks for.
        if not options or UNKNOWN_OPTION not in str(error):
            raise
        run(*command)


def read_predictions(path: Path, schema: Schema) -> Scored:
    """Read a test set with the predictions that ``predict_test_set`` added.

    Raises
    ------
    UserError
        If they are not those of a model of this task and these labels.
    """
    task = EVALUATIONS[schema.task]
    df = read_rows(path, schema, ["group", "row"])
    labels = list(getattr(df[schema.target].dtype, "categories", []))
    names = [f"{PREFIX}{name}" for name in task.name_predictions(labels)]
    written = [name for name in pq.read_schema(path).names if name.startswith(PREFIX)]
    others = [name for name in written if name.startswith(f"{PREFIX}probability_")]
    if wrong := sorted({*names} - {*written} | {*others} - {*names}):
        shown = ", ".join(name.removeprefix(PREFIX) for name in wrong)
        raise UserError(
            f"the predictions are not for the target of this test set: they differ in {shown}"
        )
    values = read_table(path, names).to_numpy(float)
    predicted = values[:, 0] if len(names) == 1 else values
    return Scored(df, labels, task.read_target(df[schema.target]), predicted)


def measure_predictions(
    scored: Scored, schema: Schema, params: EvaluationParams
) -> dict[str, float]:
    """Return the metrics that section ``test`` of reports/metrics.json has.

    Of two labels, the false-positive rate is also named ``fpr``, whatever the labels are.

    Raises
    ------
    UserError
        If the rows cannot be evaluated, such as if all have one label.
    """
    task = EVALUATIONS[schema.task]
    task.check(scored)
    metrics = compute_values(task, scored, params)
    if schema.positive is not None:
        metrics["fpr"] = metrics[f"{schema.label_pair.negative}_blocked"]
    return metrics
