"""Export reviewed corrections as rows of the source."""

import csv
import hashlib
import io
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import yaml

from core.errors import UserError
from core.files import atomic_path
from core.terminal import escape_unprintable
from feedback.rows import Row, find_newest, is_known, pick_row, type_rows
from feedback.source import Source
from feedback.store import Correction
from records.checks import check_rows
from records.reading import READERS, select_columns
from records.tasks import TASKS
from records.validation_params import ValidationParams
from records.values import show_value

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Line:
    """A correction as a line of the source, and its fields if that is delimited text."""

    correction: Correction
    content: bytes
    fields: list[str]


Kept = TypeVar("Kept", Row, Line)


def join_fields(fields: list[str], params: ValidationParams) -> str:
    """Return fields of delimited text as a line, with its line end."""
    if not params.quoting:
        return params.separator.join(fields) + "\n"
    line = io.StringIO()
    csv.writer(line, delimiter=params.separator, lineterminator="\n").writerow(fields)
    return line.getvalue()


def write_field(value: Any, is_number: bool, params: ValidationParams) -> str:
    """Return a value as a field of delimited text."""
    if value is None:
        return ""
    text = show_value(value)
    is_written = is_number and isinstance(value, int | float)
    return text.replace(".", params.decimal) if is_written else text


def write_row(row: Row, source: Source) -> Line:
    """Return a correction as a line of the source; columns without a value are empty, or null.

    Raises
    ------
    UserError
        If the source's encoding cannot hold it.
    """
    params = source.params
    values = [row.cells.get(name) for name in source.names]
    fields = []
    if params.format == "jsonl":
        content = dict(zip(source.columns, values, strict=True))
        text = json.dumps(content, ensure_ascii=params.encoding != "utf-8") + "\n"
    else:
        numbers = {source.schema.target, *source.schema.number}
        written = zip(values, source.names, strict=True)
        fields = [write_field(value, name in numbers, params) for value, name in written]
        text = join_fields(fields, params)
    try:
        return Line(row.correction, text.encode(params.encoding), fields)
    except UnicodeEncodeError as error:
        raise UserError(f"not in {params.encoding}") from error


def read_back(lines: Sequence[Line], source: Source) -> str:
    """Return why the source's reader does not find these lines with their fields, or ''."""
    content, params = b"".join(line.content for line in lines), source.params
    try:
        table = READERS[params.format](content, source.columns, source.schema, params)
    except UserError as error:
        return str(error)
    for _, reason, detail, _ in table.unread:
        return f"{reason} {detail}".strip()
    found = table.columns.fillna("").to_numpy().tolist()
    if params.format == "delimited" and found != [line.fields for line in lines]:
        return "cannot be written in this format"
    return ""


def find_unreadable(lines: Sequence[Line], source: Source) -> list[str]:
    """Return for each line why the source's reader does not find it, or ''."""
    reason = read_back(lines, source) if lines else ""
    if not reason:
        return [""] * len(lines)
    if len(lines) == 1:
        return [reason]
    half = len(lines) // 2
    return [*find_unreadable(lines[:half], source), *find_unreadable(lines[half:], source)]


def find_faults(lines: Sequence[Line], typed: pd.DataFrame, source: Source) -> list[str]:
    """Return for each line why validation would reject it, or read it as something else, or ''.

    ``typed`` are the features that were sent, by the number of the correction.
    """
    if not lines:
        return []
    schema, answers = source.schema, [line.correction.answer for line in lines]
    has_labels = TASKS[schema.task].has_classes
    if has_labels:
        said = map(str, answers)
        answers = [label if label in schema.labels else label.strip() for label in said]
        # Where any label is allowed, validation refuses a table that has too many.
        labels = schema.labels or sorted(set(map(str, answers)))
        schema = schema.model_copy(update={"labels": labels})
    content = b"".join(line.content for line in lines)
    table = READERS[source.params.format](content, source.columns, schema, source.params)
    checked = check_rows(select_columns(table, schema, source.params), schema, source.params)
    found = zip(checked.reasons, checked.details, strict=True)
    faults = [f"{reason} {detail}".strip() for reason, detail in found]
    sent = typed.loc[[line.correction.id for line in lines]].reset_index(drop=True)
    sent[schema.target] = pd.Series(answers, dtype="object" if has_labels else "float64")
    for name, right in sent.astype("object").items():
        read = checked.columns[name].astype("object")
        differs = (read != right) & ~(read.isna() & right.isna())
        for place in np.flatnonzero(differs):
            changed = f"{show_typed(read[place])}, not {show_typed(right[place])}"
            faults[place] = faults[place] or f"{name} would be read as {changed}"
    return faults


def show_typed(value: Any) -> str:
    """Return a typed value for a message."""
    return str(value) if is_known(value) else "missing"


def keep(items: Sequence[Kept], reasons: Sequence[str]) -> list[Kept]:
    """Return the items that have no reason to be left out; warn of the others."""
    for item, reason in zip(items, reasons, strict=True):
        if reason:
            warn(item.correction, reason)
    return [item for item, reason in zip(items, reasons, strict=True) if not reason]


def warn(correction: Correction, reason: object) -> None:
    """Warn that a correction is left out."""
    logger.warning("correction %d left out: %s", correction.id, escape_unprintable(str(reason)))


def choose_rows(
    corrections: Sequence[Correction], source: Source
) -> tuple[list[Row], pd.DataFrame]:
    """Return the newest corrections of equal inputs, and features by number of the correction."""
    rows = []
    for correction in corrections:
        try:
            rows.append(pick_row(correction, source))
        except UserError as error:
            warn(correction, error)
    if not rows:
        return rows, pd.DataFrame()
    typed, reasons = type_rows(rows, source)
    rows = keep(rows, reasons)
    newest = find_newest(typed.loc[[row.correction.id for row in rows]], source.schema.text)
    if n_older := len(rows) - len(newest):
        logger.info("%d older corrections of the same inputs left out", n_older)
    return [rows[place] for place in newest], typed


def render_corrections(corrections: Sequence[Correction], source: Source) -> tuple[bytes, int]:
    """Return corrections as rows of the source, without a header, and the number of rows.

    Only the newest correction of equal inputs is used. Corrections that validation would reject, or
    read as something else, are left out with a warning.

    Parameters
    ----------
    corrections : sequence of Correction
        Oldest first.
    source : Source
        What they must fit.

    Raises
    ------
    UserError
        If no row is left.
    """
    rows, typed = choose_rows(corrections, source)
    lines = []
    for row in rows:
        try:
            lines.append(write_row(row, source))
        except UserError as error:
            warn(row.correction, error)
    lines = keep(lines, find_unreadable(lines, source))
    lines = keep(lines, find_faults(lines, typed, source))
    if not lines:
        raise UserError(
            f"there is nothing to export, {len(corrections)} corrections are accepted",
            "see 'list --status pending', then 'accept' those that are right, or name the model "
            "that they are for with --model",
        )
    for line in lines:
        warn_of_new_label(line.correction, source)
    return b"".join(line.content for line in lines), len(lines)


def warn_of_new_label(correction: Correction, source: Source) -> None:
    """Warn of a label that the source does not have, where any is allowed."""
    label = str(correction.answer)
    if source.labels is not None and label.strip() not in source.labels:
        logger.warning(
            "correction %d has the label %r, which is new: check its spelling", correction.id, label
        )


def write_export(content: bytes, n_rows: int, output: Path) -> None:
    """Write exported rows, and print the lines of params.yaml that use them."""
    with atomic_path(output) as temporary:
        temporary.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    entry = yaml.safe_dump(
        [{"source": output.as_posix(), "sha256": digest}], sort_keys=False, allow_unicode=True
    )
    print(f"{escape_unprintable(str(output))}: {n_rows} rows, SHA-256 {digest}")
    print("To train on them, add this to params.yaml under data_ingestion, then run 'dvc repro'.")
    print("Git does not keep the file: for others, name a place that they can reach, too.\n")
    print("  additions:")
    for line in entry.splitlines():
        print(f"  {line}")
