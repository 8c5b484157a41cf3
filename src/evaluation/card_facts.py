"""The facts in the cards of a model and of its data, from the model file and the reports."""

import csv
import json
import shlex
from pathlib import Path
from typing import Any

import pandas as pd

from core.markdown import align_table
from core.paths import MODEL
from evaluation.result_tables import read_report
from models.description import Column, Description, read_description
from models.scoring import name_version
from models.store import parse_model, read_model_file

# So many values of a category, and labels, are shown.
MAX_SHOWN = 10
WIDTH = 60


def escape(text: str, width: int = WIDTH) -> str:
    """Return a text of the data for a cell of a table, shortened if it is long."""
    shown = " ".join(text.split())
    if len(shown) > width:
        shown = f"{shown[: width - 3]}..."
    for mark in "\\|<*_`[":
        shown = shown.replace(mark, "&lt;" if mark == "<" else f"\\{mark}")
    return shown


def list_some(values: list[str], n_values: int) -> str:
    """Return the first values, and how many others there are."""
    shown = ", ".join(escape(value) for value in values[:MAX_SHOWN])
    n_others = n_values - len(values[:MAX_SHOWN])
    return f"{shown} and {n_others:,} others" if n_others > 0 else shown


def load_description() -> Description:
    """Return what the model says about itself.

    Raises
    ------
    UserError
        If there is no model, or it does not say it.
    """
    path = Path(MODEL)
    return read_description(parse_model(read_model_file(path), path), path)


def describe_model() -> str:
    """Return what the model predicts, and from what, as a sentence and a table."""
    description, path = load_description(), Path(MODEL)
    schema, target = description.data, description.target
    if description.classes:
        what = f"one of the labels {list_some(description.classes, len(description.classes))}"
    else:
        low, high = (f"{edge:,.6g}" for edge in (target.edges[0], target.edges[-1]))
        what = f"a number; it was from {low} to {high} in training"
    unit = f" ({escape(target.unit)})" if target.unit else ""
    with Path("reports", "cv_results.csv").open(encoding="utf-8", newline="") as file:
        best = next(csv.DictReader(file))
    rows = [
        ["property", "value"],
        ["name", description.name],
        ["task", schema.task],
        ["target", f"{escape(schema.target)}{unit}"],
        ["what it predicts", what],
        ["training rows", f"{description.n_rows:,}"],
        ["estimator", best["estimator"]],
        ["version", f"`{name_version(read_model_file(path))}`"],
    ]
    return f"{description.summary}\n\n{align_table(rows)}"


def describe_range(column: Column) -> str:
    """Return which values of a column the training rows have."""
    if column.kind == "text":
        return "any text"
    if column.kind == "ordinal":
        return " < ".join(escape(value) for value in column.values)  # noqa: PD011
    if column.kind == "category":
        return list_some(column.values, column.n_values)
    if column.minimum is None or column.maximum is None:
        return "none"
    low, high = (
        end.removesuffix("T00:00:00") if isinstance(end, str) else f"{end:,.6g}"
        for end in (column.minimum, column.maximum)
    )
    return f"{low} to {high}"


def tabulate_inputs() -> str:
    """Return a row for each column that the model takes."""
    description = load_description()
    names = description.source_names
    rows = [["column", "kind", "unit", "values in training", "may be missing"]]
    for column in description.columns:
        cells = [escape(names[column.name]), column.kind, escape(column.unit or "")]
        rows.append([*cells, describe_range(column), "no" if column.is_needed else "yes"])
    return align_table(rows)


def tabulate_columns() -> str:
    """Return a row for each feature of the data that was accepted."""
    accepted = read_report("validation")
    rows = [["column", "kind", "missing", "values"]]
    for name, found in accepted["columns"].items():
        ends = [found.get(end) for end in ("minimum", "maximum")]
        values = " to ".join(f"{end:,.6g}" if isinstance(end, float) else str(end) for end in ends)
        if "distinct" in found:
            values = f"{found['distinct']:,} different"
        rows.append([escape(name), found["kind"], f"{found['missing']:,}", values])
    return align_table(rows)


def make_example_command() -> str:
    """Return a console block that predicts for a usual row."""
    description = load_description()
    if description.is_messages:
        argument = shlex.quote("See you at home")
        return f"```console\n$ python src predict {argument}\n```"
    values = description.values  # noqa: PD011
    formats = {each.column: each.format for each in values.date_formats}
    usual: dict[str, Any] = {}
    for column in description.columns:
        value: Any = column.usual
        if column.kind == "date" and isinstance(value, str):
            value = pd.Timestamp(value).strftime(formats.get(column.name, "%Y-%m-%d"))
        elif isinstance(value, float) and value.is_integer():
            value = int(value)
        usual[description.source_names[column.name]] = value
    argument = shlex.quote(json.dumps(usual, ensure_ascii=False))
    return f"```console\n$ python src predict --json {argument}\n```"
