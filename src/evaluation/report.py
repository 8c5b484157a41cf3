"""Render the report of an evaluation: one HTML page without external files."""

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from evaluation.metrics import format_metric

TEMPLATES = Path(__file__).parent
# Of a cell: text that stays on one line, a number, or text as received.
NAME, NUMBER, MESSAGE = "name", "number", "message"
# Of metrics whose names are abbreviations.
NAMES = {
    "f1": "F1",
    "macro_f1": "macro F1",
    "mae": "mean absolute error",
    "mape": "mean absolute percentage error",
    "mcc": "Matthews correlation",
    "r2": "R²",
    "rmse": "root mean squared error",
    "roc_auc": "ROC AUC",
    "roc_auc_ovr": "ROC AUC, one against the others",
}


@dataclass(frozen=True)
class Cell:
    """A number with its interval."""

    text: str
    interval: str = ""


@dataclass(frozen=True)
class Table:
    """A table of a report; each column has a title and a kind, and the first one names the rows."""

    columns: list[tuple[str, str]]
    rows: list[list[str | Cell]]


@dataclass(frozen=True)
class Section:
    """A heading with sentences and a table below."""

    title: str
    text: str = ""
    table: Table | None = None


@dataclass(frozen=True)
class Report:
    """What a task has to say: a heading, sentences, and sections; what its plots are of."""

    heading: str
    sentences: list[str]
    sections: list[Section] = field(default_factory=list)
    title: str = "Evaluation of the model"
    caption: str = "of the test set"


def format_cell(name: str, value: float, interval: dict[str, float] | None) -> Cell:
    """Return a metric, with its interval in brackets if it has one."""
    if interval is None:
        return Cell(format_metric(name, value))
    ends = (format_metric(name, interval[end]) for end in ("low", "high"))
    return Cell(format_metric(name, value), f"[{', '.join(ends)}]")


def name_metric(name: str) -> str:
    """Return the name of a metric as a text."""
    return NAMES.get(name, name.replace("_", " "))


def tabulate_metrics(metrics: dict, intervals: dict) -> Table:
    """Return a row for each metric: model, baseline, their difference, and the training set."""
    rows: list[list[str | Cell]] = []
    for name, value in metrics["test"].items():
        row: list[str | Cell] = [name_metric(name)]
        row.append(format_cell(name, value, intervals["test"][name]))
        base, difference = metrics["baseline"].get(name), intervals["difference"].get(name)
        row.append("" if base is None else format_metric(name, base))
        row.append("" if difference is None else format_cell(name, difference["value"], difference))
        known = metrics["train"].get(name)
        row.append("" if known is None else format_cell(name, known, intervals["train"][name]))
        rows.append(row)
    titles = ("test", "baseline", "model less baseline", "training")
    return Table([("metric", NAME), *((title, NUMBER) for title in titles)], rows)


def tabulate_by(
    title: str, metrics: dict[str, dict], intervals: dict[str, dict], names: Iterable[str]
) -> Table:
    """Return a row for each key, such as a label: the number of its rows, and its metrics."""
    names = [name for name in names if any(name in values for values in metrics.values())]
    rows: list[list[str | Cell]] = []
    for key, values in metrics.items():
        cells: list[str | Cell] = [
            format_cell(name, values[name], intervals[key].get(name)) if name in values else ""
            for name in names
        ]
        rows.append([key, f"{values['rows']:,}", *cells])
    columns = [(title, NAME), ("rows", NUMBER), *((name_metric(name), NUMBER) for name in names)]
    return Table(columns, rows)


def tabulate_rows(rows: pd.DataFrame, texts: Iterable[str]) -> Table:
    """Return a table of a data set's rows; ``texts`` are the columns of long texts."""
    texts = set(texts)
    columns: list[tuple[str, str]] = []
    for column in rows:
        is_number = pd.api.types.is_numeric_dtype(rows[column].dtype)
        columns.append((str(column), MESSAGE if column in texts else NUMBER if is_number else NAME))
    cells: list[list[str | Cell]] = [
        [format_value(value) for value in row] for row in rows.itertuples(index=False)
    ]
    return Table(columns, cells)


def format_value(value: object) -> str:
    """Return a value of a table as text; a missing one is empty."""
    if isinstance(value, float):
        return "" if value != value else f"{value:.6g}"
    return "" if value is None or value is pd.NaT else str(value)


def render_report(report: Report, pictures: dict[str, bytes]) -> str:
    """Return the report as an HTML page.

    Parameters
    ----------
    report : Report
        Texts and tables. The pictures are shown after its first section.
    pictures : dict of str to bytes
        PNG files, by title.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(
        report=report,
        pictures={name: b64encode(content).decode() for name, content in pictures.items()},
    )
