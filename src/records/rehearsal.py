"""Validate a file as data_validation will, to choose its limits and find columns that leak."""

import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from core.errors import UserError
from records.additions import FIRST_LINE
from records.checks import check_rows
from records.inference import Decision, Inference, keep_a_feature
from records.leakage import MIN_ROWS, find_leaks, score_column
from records.reading import read_raw
from records.schema import Schema
from records.tasks import TASKS
from records.validation_params import ValidationParams
from text.normalise import normalise_text

# A column with a score above this, but below the limit, gets a comment.
SUSPICIOUS = 0.9


@dataclass(frozen=True)
class Rehearsal:
    """What validation makes of a file.

    Attributes
    ----------
    rows : DataFrame
        The target, features and ids of valid rows, with their types.
    reasons : Counter
        How many rows are rejected for each reason.
    """

    rows: pd.DataFrame
    reasons: Counter[str]


def rehearse(raw: bytes, schema: Schema, params: ValidationParams) -> Rehearsal:
    """Validate the content of a file; the limits of ``params`` on shares do not count."""
    with tempfile.TemporaryDirectory() as folder:
        source, additions = Path(folder, "source"), Path(folder, "additions")
        source.write_bytes(raw)
        additions.write_bytes(FIRST_LINE)
        try:
            table = read_raw(source, additions, schema, params)
        except UserError as error:
            raise UserError(error.message.removeprefix(f"{source}: "), error.fix) from error
    checked = check_rows(table, schema, params)
    reasons = checked.reasons.copy()
    is_valid = reasons == ""
    if schema.is_messages and TASKS[schema.task].has_classes:
        keys = checked.columns.loc[is_valid, schema.text[0]].map(normalise_text)
        labels = checked.columns.loc[is_valid, schema.target].astype("str")
        n_labels = labels.groupby(keys.to_numpy()).transform("nunique").to_numpy()
        reasons[np.flatnonzero(is_valid)[n_labels > 1]] = "same text with different labels"
    is_valid = reasons == ""
    counts = Counter([*reasons[~is_valid], *(unread[1] for unread in table.unread)])
    return Rehearsal(checked.columns[is_valid].reset_index(drop=True), counts)


def find_suspects(
    rehearsal: Rehearsal, schema: Schema, inference: Inference, max_score: float
) -> dict[str, Decision]:
    """Return new decisions for columns that give the target away, by their names in the file.

    Those that do so almost perfectly are left out. Those that nearly do so get a comment.
    """
    rows = rehearsal.rows
    originals = {inference.rename.get(name, name): name for name in inference.columns}
    found: dict[str, Decision] = {}
    for column, sentence in find_leaks(rows, schema.features, schema, max_score):
        names = [column]
        if column not in originals:
            names = [
                name
                for a in schema.number
                for b in schema.number
                if f"{a} + {b}" == column
                for name in (a, b)
            ]
        for name in names:
            found.setdefault(originals[name], Decision("drop", sentence))
    if len(rows) < MIN_ROWS:
        return found
    for column in schema.features:
        decision = inference.columns[originals[column]]
        if decision.kind == "text" or originals[column] in found:
            continue
        name, score = score_column(rows[column], rows[schema.target])
        if score > SUSPICIOUS:
            note = f"predicts the target alone ({name} {score:.2f}): is it known before?"
            found[originals[column]] = Decision(
                decision.kind, f"{note} {decision.evidence}", decision.date_format
            )
    return found


def leave_out(inference: Inference, found: dict[str, Decision]) -> Inference:
    """Return the inference with other decisions.

    Raises
    ------
    UserError
        If no column would be a feature.
    """
    columns = keep_a_feature({**inference.columns, **found}, {})
    return Inference(
        inference.target,
        columns,
        inference.style,
        inference.null_markers,
        inference.rename,
        inference.evidence,
    )
